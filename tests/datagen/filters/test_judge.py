"""Scores by rubric: parsed strictly, kept as a column, used as a threshold."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.filters.judge.command import judge_summary, run_judge
from datagen.filters.judge.score import read_score, reason_to_reject
from datagen.filters.judge.settings import JudgeSettings
from datagen.prompts.templates import Templates
from datagen.teacher import Completion
from tests.datagen.endpoint import Served
from tests.datagen.instructions.evolving import Scripted, save_templates


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 7", 7),
        ("It is sound.\n\nScore: 10\n", 10),
        ("  Score: 1.", 1),
        ("分数：8", 8),
        ("还不错。\n分数: 3。", 3),
        ("The instruction asks for a number, 5.\nScore: 6", 6),
        ("Score: 0", None),
        ("Score: 11", None),
        ("Score: 100", None),
        ("Score: 07", None),
        ("Score: 7.5", None),
        ("Score: 7/10", None),
        ("Score: 7 or 8", None),
        ("Score: seven", None),
        ("I would say Score: 7", None),
        ("Score: 7\nScore: 7", None),
        ("Score: 7\nNo, rather Score: 3", None),  # one score only
        ("7", None),
        ("", None),
    ],
)
def test_one_line_with_one_whole_number_is_a_score_and_nothing_else_is(text, score):
    assert read_score(Completion(text)) == score


def test_a_judgement_that_was_cut_off_is_no_score():
    assert read_score(Completion("Score: 1", "length")) is None  # perhaps of 10


def test_hostile_text_takes_no_time():
    assert read_score(Completion(("Score" + " " * 3) * 100_000 + "\n" + " " * 300_000)) is None


@pytest.mark.parametrize(
    ("score", "at_least", "why"),
    [(7, None, None), (1, None, None), (7, 7, None), (6, 7, "low_score"), (None, 7, "unparseable_score"),
     (None, None, "unparseable_score")],
)  # fmt: skip
def test_reasons(score, at_least, why):
    assert reason_to_reject(score, at_least) == why


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Scripted(delay=0.01)
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


@pytest.fixture
def rows(tmp_path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [
        {"instruction": f"Say {i}.", "input": "loud" * (i % 2), "output": f"Here: {i}"}
        for i in range(40)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def judged(rows: Path, out: Path, **settings) -> tuple[list[dict], list[dict]]:
    templates = out.parent / "templates"
    templates = templates if templates.exists() else save_templates(templates)
    run_judge(
        JudgeSettings(str(rows), teacher="openai:arith", templates=templates, out=out, **settings)
    )
    accepted, rejected = (
        pq.read_table(out / f"{name}.parquet").to_pylist() for name in ("instructions", "rejected")
    )
    return accepted, rejected


def test_every_row_gets_its_score_or_a_reason(rows, endpoint, tmp_path):
    accepted, rejected = judged(rows, tmp_path / "run")
    assert len(accepted) + len(rejected) == 40
    assert {row["reason"] for row in rejected} == {"unparseable_score"}
    assert all(row["score"] is None for row in rejected)
    for body in endpoint.bodies:
        assert re.fullmatch(
            r"SCORE\nSay (\d+)\.(?: \| loud)?\nHere: \1", body["messages"][0]["content"]
        )
        assert body["temperature"] == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    scores = [row["score"] for row in accepted]
    assert stats["mean_score"] == pytest.approx(sum(scores) / len(scores), abs=1e-3)
    mean = f"{sum(scores) / len(scores):.2f}"
    assert f"mean score: {mean} of 10, of {len(scores)} rows" in judge_summary(stats, tmp_path)
    unread = stats | {"scores": {}, "mean_score": None}
    assert "mean score: none\n" in judge_summary(unread, tmp_path)


def test_the_threshold_splits_the_same_scores_and_judging_again_keeps_the_rows(
    rows, endpoint, tmp_path
):
    all_scored, unparseable = judged(rows, tmp_path / "all")
    accepted, rejected = judged(rows, tmp_path / "some", at_least=6, concurrency=1)
    assert accepted == [row for row in all_scored if row["score"] >= 6]
    low = [row for row in rejected if row["reason"] == "low_score"]
    assert [row["id"] for row in low] == [row["id"] for row in all_scored if row["score"] < 6]
    assert all(row["detail"] == f"quality {int(row['score'])}" for row in low)
    again, _ = judged(tmp_path / "some", tmp_path / "again")
    assert again == [row for row in accepted if row["id"] in {other["id"] for other in again}]
    assert len(accepted) > len(unparseable) / 4


def test_the_shipped_rubrics_take_their_fields():
    for rubric in ("quality", "helpfulness", "difficulty"):
        ((role, text),) = Templates("en").messages(
            rubric, instruction="Say <it>.", response="It, {instruction}."
        )
        assert role == "user"
        assert "Say <it>." in text
        assert ("It, {instruction}." in text) == (rubric != "difficulty")


def test_bad_settings_and_rubrics(rows, endpoint, tmp_path):
    with pytest.raises(UserError, match="--at_least 11: must be between 1 and 10"):
        JudgeSettings("x", at_least=11)
    with pytest.raises(UserError, match=r"there is no template beauty\.txt"):
        judged(rows, tmp_path / "run", rubric="beauty")
