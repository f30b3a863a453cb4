"""Accuracy by number of demonstrations: the figures recounted, and the command end to end."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datagen.cli import main as datagen
from datagen.microworld.words import CATEGORIES
from tests.datagen.demonstrations.reading import Reading, parse, write_tasks
from tests.datagen.endpoint import Endpoint, Served
from train.cli import main
from train.evaluate.bootstrap import Bootstrap
from train.evaluate.cases import Case, CaseAnswer
from train.evaluate.contenders import Contender
from train.evaluate.shots import shots_section, slopes

SHOTS = [0, 1, 2, 4, 8, 16]


def kind_of(word: str) -> str:
    return next(name for name, words in CATEGORIES.items() if word in words)


class Categories(Endpoint):
    """Answers with the label of the last demonstration of the query's category; "no" where there is
    none."""

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        pairs, query = parse(body["messages"][-1]["content"])
        labels = [y for x, y in pairs if kind_of(x) == kind_of(query)]
        message = {"role": "assistant", "content": labels[-1] if labels else "no"}
        return {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    return monkeypatch


@pytest.fixture
def categories(key: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    endpoint = Categories()
    with Served(endpoint) as url:
        key.setenv("OPENAI_BASE_URL", url)
        yield endpoint


def answers_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


def test_curves_are_what_the_demonstrations_allow(
    base: Path, categories: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [
        "--suite",
        "in-context/category",
        "--limit",
        "8",
        "--max_tokens",
        "4",
        "--out",
        str(out),
    ]
    words += ["--demonstration_seeds", "3", "--base", f"hf:{base}", "--teacher", "openai:arith"]
    assert main(["evaluate", *words]) == 0
    report, answers = json.loads((out / "report.json").read_text()), answers_of(out)
    [part] = report["in_context"]
    assert (report["suites"], part["n"], part["shots"], part["demonstration_seeds"]) == (
        [],
        8,
        SHOTS,
        3,
    )
    assert [
        (model["name"], len([a for a in answers if a["model"] == model["name"]]))
        for model in part["models"]
    ] == [
        ("base", 8 * 3 * 6),
        ("teacher", 8 * 3 * 6),
    ]
    teacher, right = part["models"][1]["families"]["category"], defaultdict[Any, list[bool]](list)
    for a in (a for a in answers if a["model"] == "teacher"):
        pairs, query = parse(a["prompt"])
        assert len(pairs) == a["k"]
        assert a["correct"] == (kind_of(query) in {kind_of(x) for x, _ in pairs})
        right[a["k"], a["draw"]].append(a["correct"])
    for k in SHOTS:
        by_seed = [statistics.mean(right[k, draw]) for draw in range(3)]
        assert teacher["accuracy"][str(k)]["value"] == pytest.approx(
            statistics.mean(by_seed), abs=1e-5
        )
        assert teacher["accuracy"][str(k)]["worst"] == pytest.approx(min(by_seed), abs=1e-5)
    curve = [teacher["accuracy"][str(k)]["value"] for k in SHOTS]
    line = statistics.linear_regression([math.log2(k + 1) for k in SHOTS], curve)
    assert teacher["slope"]["value"] == pytest.approx(line.slope, abs=1e-5)
    assert teacher["slope"]["value"] > 0.1
    assert (out / "in_context.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "report.png").exists()
    assert "demonstration seeds" in capsys.readouterr().out


def told(correct: bool) -> CaseAnswer:
    return CaseAnswer("", None, correct)


def test_slopes_are_compared_query_by_query() -> None:
    """Of two families the student learns one; the base none; the worst draw is the worst mean over
    queries."""
    cases = [
        Case(f"{family}{query}", family, k, draw, "", "", "", "arrow")
        for family in ("new", "old")
        for query in range(10)
        for draw in range(2)
        for k in (0, 1, 3)
    ]
    student = [told(case.family == "old" and case.k > 2 * case.draw) for case in cases]
    answers = {
        Contender("base", "base", "hf:b", "direct"): [told(False)] * len(cases),
        Contender("s", "student", "hf:s", "direct"): student,
    }
    found = shots_section("in-context", cases, answers, Bootstrap())
    families = found["models"][1]["families"]
    assert list(families) == ["all", "new", "old"]
    assert [families["old"]["accuracy"][k]["value"] for k in ("0", "1", "3")] == [0, 0.5, 1]
    assert [families["old"]["accuracy"][k]["worst"] for k in ("0", "1", "3")] == [0, 0, 1]
    assert families["old"]["slope"]["value"] == pytest.approx(0.5)
    assert families["all"]["slope"]["value"] == pytest.approx(0.25)
    assert families["new"]["slope"] == {"value": 0, "low": 0, "high": 0}
    compared = {c["family"]: c for c in found["comparisons"]}
    assert [(name, c["clear"]) for name, c in compared.items()] == [
        ("all", True),
        ("new", False),
        ("old", True),
    ]
    assert compared["all"]["difference"]["low"] < 0.25 < compared["all"]["difference"]["high"]


def test_the_mean_of_slopes_is_the_slope_of_the_mean() -> None:
    right_NSK = np.random.default_rng(0).integers(0, 2, size=(7, 3, 6)).astype(float)
    fitted = np.polyfit(np.log2(np.array(SHOTS) + 1), right_NSK.mean((0, 1)), 1)[0]
    assert slopes(right_NSK, SHOTS).mean() == pytest.approx(fitted)


def test_distilled_context_is_measured_on_the_test_queries_of_a_version(
    key: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same reader with the demonstrations (teacher) and without (student): it can only read."""
    key.setenv("EMERGENT_STORE", str(tmp_path / "store"))
    source, run, out = write_tasks(tmp_path), tmp_path / "run", tmp_path / "out"
    with Served(Reading()) as url:
        key.setenv("OPENAI_BASE_URL", url)
        words = [
            "--kind",
            "context-distillation",
            "--split",
            "test",
            "--format",
            "arrow",
            "--shots",
            "8",
        ]
        words += ["--teacher", "openai:arith", "--out", str(run), "--queries", "5"]
        assert datagen(["demonstrations", str(source), *words]) == 0
        assert datagen(["publish", str(run), "parity"]) == 0
        card = (tmp_path / "store" / "parity" / "1.0.0" / "README.md").read_text()
        assert "| 8 | 15 |" in card  # the teacher's accuracy by number of demonstrations
        words = [
            "--suite",
            "episodes:parity@1.0.0",
            "--students",
            "s=openai:arith",
            "--teacher",
            "openai:arith",
        ]
        assert main(["evaluate", *words, "--out", str(out)]) == 0
    accuracy = json.loads((run / "stats.json").read_text())["accuracy"]["8"]
    [part] = json.loads((out / "report.json").read_text())["in_context"]
    student, teacher = part["models"]
    assert (part["n"], student["accuracy"]["value"], accuracy["episodes"]) == (15, 0, 15)
    assert teacher["accuracy"]["value"] == pytest.approx(accuracy["accuracy"], abs=1e-4)
    assert set(teacher["by_task"]) == {"parity/red", "parity/blue", "parity/green"}
    [pair] = part["comparisons"]
    assert (pair["a"], pair["b"], pair["clear"]) == ("s", "teacher", True)
    assert pair["difference"]["value"] == pytest.approx(-accuracy["accuracy"], abs=1e-4)
    for a in answers_of(out):
        pairs, query = parse(a["prompt"])
        assert pairs == []
        assert len(parse(a["teacher_prompt"])[0]) == 8
        assert parse(a["teacher_prompt"])[1] == query
    assert "s − teacher" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--suite in-context/nothing", "no rule family 'nothing': there are key"),
        ("--suite in-context --split dev", "the micro-world has no split 'dev'"),
        ("--suite in-context --demonstration_seeds 0", "--demonstration_seeds 0: at least 1"),
        ("--suite episodes:nothing", "no dataset 'nothing'"),
        ("--suite in-contexts", "no suite 'in-contexts'"),
    ],
)
def test_bad_input_is_one_line(
    words: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["evaluate", "--out", str(tmp_path / "out"), "--teacher", "micro", *words.split()])
        == 2
    )
    [error] = capsys.readouterr().err.splitlines()
    assert line in error


def test_a_version_of_other_rows_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--suite", f"episodes:{store / 'sums' / '1.0.0'}", "--teacher", "micro"]
    assert main(["evaluate", "--out", str(tmp_path / "out"), *words]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert "has no config 'demonstrations'" in error
