"""`train evaluate` end to end: tiny models, a teacher behind a real endpoint, figures recounted by
hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.datagen.endpoint import Endpoint, Served
from train.cli import as_lists, main
from train.evaluate.ask import Answered
from train.evaluate.bootstrap import Bootstrap
from train.evaluate.contenders import Contender
from train.evaluate.section import section
from train.evaluate.settings import EvaluateSettings

QUESTIONS = 30


@pytest.fixture
def sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data root whose gsm8k test file the endpoint can answer, two times out of three; the
    endpoint is up."""
    folder = tmp_path / "data" / "gsm8k"
    folder.mkdir(parents=True)
    records = [
        {"question": f"What is {a} plus {a % 7 + 2}?", "answer": f"Count. #### {a + a % 7 + 2}"}
        for a in range(10, 10 + QUESTIONS)
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Served(Endpoint()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield tmp_path / "data"


def answers_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


def test_report_holds_what_the_answers_say(
    base: Path, sums: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    words = [
        "--suite",
        "gsm8k",
        "microworld",
        "--data_root",
        sums,
        "--limit",
        QUESTIONS,
        "--out",
        out,
    ]
    words += ["--base", f"hf:{base}", "--students", f"one=hf:{base}", f"two=hf:{base}:direct"]
    words += ["--teacher", "openai:arith", "--samples", 3, "--max_tokens", 4]
    assert main(["evaluate", *map(str, words)]) == 0

    report, answers = json.loads((out / "report.json").read_text()), answers_of(out)
    assert [(s["suite"], s["n"]) for s in report["suites"]] == [
        ("gsm8k", QUESTIONS),
        ("microworld", QUESTIONS),
    ]
    for suite in report["suites"]:
        names = [(m["name"], m["mode"]) for m in suite["models"]]
        modes = [("base", "rationale"), ("base", "direct"), ("one", "rationale"), ("two", "direct")]
        assert names == [*modes, ("teacher", "rationale")]
        for model in suite["models"]:
            key = (suite["suite"], model["name"], model["mode"])
            mine = [a for a in answers if (a["suite"], a["model"], a["mode"]) == key]
            recount(model, mine)
    sums_report = report["suites"][0]
    teacher = sums_report["models"][-1]
    assert 0.4 < teacher["greedy_accuracy"]["value"] < 0.9
    assert teacher["gold_logprob"] is None
    assert "cannot score" in teacher["unscored"]["reason"]
    assert teacher["unscored"]["answers"] == QUESTIONS
    assert all(model["gold_logprob"]["value"] < 0 for model in sums_report["models"][:-1])
    assert sums_report["models"][2]["gap_closed"]["value"] == pytest.approx(0, abs=0.1)
    assert report["suites"][1]["models"][2]["gap_closed"] is None  # nobody solves these
    printed = capsys.readouterr().out
    assert "teacher (rationale)" in printed
    assert "not clear" in printed
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")


def recount(model: dict[str, Any], answers: list[dict[str, Any]]) -> None:
    """The model's line of the report from its answers, without our code."""
    assert len(answers) == QUESTIONS
    right = [a["answer"] is not None and float(a["answer"]) == float(a["gold"]) for a in answers]
    assert model["greedy_accuracy"]["value"] == pytest.approx(sum(right) / QUESTIONS, abs=1e-5)
    majority = 0
    for a in answers:
        counts = Counter(sample for sample in a["samples"] if sample is not None)
        winner = max(counts, key=lambda sample: counts[sample]) if counts else None
        majority += winner is not None and float(winner) == float(a["gold"])
    assert model["majority_accuracy"]["value"] == pytest.approx(majority / QUESTIONS, abs=1e-5)
    assert model["unanswered"] == sum(a["answer"] is None for a in answers)
    assert (
        model["greedy_accuracy"]["low"]
        <= model["greedy_accuracy"]["value"]
        <= model["greedy_accuracy"]["high"]
    )


def test_the_same_command_gives_the_same_bytes_and_yaml_equals_flags(
    base: Path, tmp_path: Path
) -> None:
    spec = f"hf:{base}"
    words = [
        "--limit",
        5,
        "--samples",
        2,
        "--max_tokens",
        4,
        "--students",
        f"one={spec}",
        f"two={spec}:direct",
    ]
    assert main(["evaluate", *map(str, words), "--out", str(tmp_path / "a")]) == 0
    yaml = f"limit: 5\nsamples: 2\nmax_tokens: 9\nstudents: [one={spec}, 'two={spec}:direct']\n"
    (tmp_path / "evaluate.yaml").write_text(yaml)
    config = ["--config", str(tmp_path / "evaluate.yaml"), "--max_tokens", "4"]
    assert main(["evaluate", *config, "--out", str(tmp_path / "b")]) == 0
    for name in ("report.json", "answers.jsonl", "report.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_questions_that_cannot_be_asked_are_counted_and_wrong(
    tiny_model: Path, tmp_path: Path
) -> None:
    """The context is 128 tokens, a byte each, three more stand around a question: the longer ones
    do not fit."""
    data = write_sums(tmp_path, [100, 10, 10, 90])
    words = [
        "--suite",
        "gsm8k",
        "--data_root",
        str(data),
        "--samples",
        "0",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["evaluate", *words, "--students", f"one=hf:{tiny_model}:direct"]) == 0
    [model] = json.loads((tmp_path / "out" / "report.json").read_text())["suites"][0]["models"]
    assert model["failed"] == 2
    assert model["greedy_accuracy"]["n"] == 4
    failed = [a for a in answers_of(tmp_path / "out") if a["error"]]
    assert len(failed) == 2
    assert all(
        "context" in a["error"] and not a["correct"] and a["gold_logprob"] is None for a in failed
    )


def test_a_model_that_answers_nothing_is_an_error(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_sums(tmp_path, [100, 90])
    words = [
        "--suite",
        "gsm8k",
        "--data_root",
        str(data),
        "--samples",
        "0",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["evaluate", *words, "--students", f"one=hf:{tiny_model}:direct"]) == 2
    assert "answered none of the 2 questions" in capsys.readouterr().err
    assert not (tmp_path / "out" / "report.json").exists()


def write_sums(folder: Path, lengths: list[int]) -> Path:
    """A data root with one gsm8k question of each length."""
    records = [
        {"question": f"{place}{'?' * (length - 1)}", "answer": "#### 1"}
        for place, length in enumerate(lengths)
    ]
    (folder / "gsm8k").mkdir()
    (folder / "gsm8k" / "test.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in records)
    )
    return folder


def answered(correct: bool) -> Answered:
    return Answered(
        id="",
        gold="1",
        text="",
        answer="1" if correct else None,
        correct=correct,
        samples=(),
        majority=None,
        agreement=0,
        majority_correct=None,
        edit_distance=0,
        gold_logprob=None,
    )


def made_up(name: str, role: str, mode: str, correct: int) -> tuple[Contender, list[Answered]]:
    """The first `correct` of 200 questions right."""
    return Contender(name, role, f"hf:{name}", mode), [
        answered(place < correct) for place in range(200)
    ]


def test_the_gap_counts_from_the_bases_better_mode() -> None:
    models = [
        made_up("base", "base", "rationale", 10),
        made_up("base", "base", "direct", 40),
        made_up("long", "student", "rationale", 130),
        made_up("short", "student", "direct", 50),
        made_up("teacher", "teacher", "rationale", 160),
    ]
    found = section("made up", dict(models), Bootstrap())
    assert found["base_mode"] == "direct"
    assert found["models"][2]["gap_closed"]["value"] == pytest.approx((130 - 40) / (160 - 40))
    assert found["models"][3]["gap_closed"]["value"] == pytest.approx(
        (50 - 40) / (160 - 40), abs=1e-6
    )
    assert [model["gap_closed"] for model in (*found["models"][:2], found["models"][4])] == [
        None
    ] * 3
    [pair] = found["comparisons"]
    assert (pair["a"], pair["b"], pair["clear"]) == ("long", "short", True)
    assert pair["difference"]["value"] == pytest.approx(0.4)


def test_without_base_or_teacher_there_is_no_gap() -> None:
    found = section("made up", dict([made_up("one", "student", "rationale", 20)]), Bootstrap())
    assert found["teacher_minus_base"] is None
    assert found["models"][0]["gap_closed"] is None
    assert found["models"][0]["majority_accuracy"] is None


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "--students a=hf:/no/such/folder",
            "no model at /no/such/folder: the folder does not exist",
        ),
        ("--students a", "--students a: write NAME=SPEC"),
        ("--students base=micro", "the name is taken"),
        ("--students a=micro a=micro", "the name is taken"),
        ("--teacher nobody:x", "unknown teacher 'nobody:x'"),
        ("--teacher micro --suite nothing", "no suite 'nothing'"),
        ("--teacher micro --suite", "--suite: name at least one"),
        ("--teacher micro --split dev", "has no split 'dev'"),
        ("--teacher micro --samples -1", "--samples -1: at least 0"),
        ("--teacher micro --resamples 10", "--resamples 10: at least 1000"),
        ("--teacher micro --limit 0", "--limit 0: at least 1"),
        ("--teacher micro --suite gsm8k --data_root /no/such", "no such data folder: /no/such"),
        ("--teacher micro --no_such_flag 1", "--no_such_flag"),
        (f"--teacher micro --limit 1 --out {__file__}", "no folder can be made there"),
        ("", "nothing to measure"),
    ],
)
def test_bad_input_is_one_line(
    words: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--out", str(tmp_path / "out"), *words.split()]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert line in errors[0]
    assert not (tmp_path / "out").exists()


def test_lists_are_words_up_to_the_next_flag() -> None:
    words = as_lists(["--suite", "a", "b", "--limit", "3", "--students"], EvaluateSettings)
    assert words == ["--suite", '["a", "b"]', "--limit", "3", "--students", "[]"]
