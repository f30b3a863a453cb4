"""Several models are measured, and the weights of one are in memory at any time."""

from __future__ import annotations

import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest

from datagen.teacher.local import hf
from datagen.teacher.local.hf import HfTeacher
from tests.train.evaluate.test_evaluate import write_sums
from train.cli import main

LONG = 700
"""Characters of a question that exceeds the context of 512 tokens of a byte each."""


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many models are in memory just after each opening."""
    known: list[weakref.ref[Any]] = []
    counts: list[int] = []
    load = hf.open_model

    def counted(*args: Any, **kwargs: Any) -> Any:
        counts.append(1 + sum(network() is not None for network in known))
        model = load(*args, **kwargs)
        known.append(weakref.ref(model.network))
        return model

    monkeypatch.setattr(hf, "open_model", counted)
    return counts


@pytest.fixture
def copies(base: Path, tmp_path: Path) -> list[Path]:
    """Three folders with the same model, which are three models to the command."""
    return [Path(shutil.copytree(base, tmp_path / f"copy-{n}")) for n in range(3)]


def words_of(copies: list[Path], tmp_path: Path) -> list[str]:
    students = [f"{folder.name}=hf:{folder}:direct" for folder in copies[1:]]
    words = ["--base", f"hf:{copies[0]}", "--students", *students, "--suite", "gsm8k", "microworld"]
    numbers = ["--limit", "3", "--samples", "2", "--max_tokens", "3"]
    return [*words, *numbers, "--data_root", str(tmp_path), "--out", str(tmp_path / "out")]


def test_weights_are_released_before_the_next_model_opens(
    living: list[int], copies: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after an error, whose frames refer to the model. All is kept that could hold a model."""
    kept: list[HfTeacher] = []
    make = HfTeacher.__init__

    def keeping(teacher: HfTeacher, *args: Any, **kwargs: Any) -> None:
        make(teacher, *args, **kwargs)
        kept.append(teacher)

    monkeypatch.setattr(HfTeacher, "__init__", keeping)
    write_sums(tmp_path, [20, LONG, 30])
    assert main(["evaluate", *words_of(copies, tmp_path)]) == 0
    assert living == [1, 1, 1]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [model["failed"] for model in report["suites"][0]["models"]] == [1, 1, 1, 1]


class Killed(Exception):
    """Stands for the end of the process."""


def test_a_killed_evaluation_asks_only_what_is_missing(
    living: list[int], copies: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the second model has answered; the report is that of an uninterrupted one."""
    write_sums(tmp_path, [20, 25, 30])
    whole = tmp_path / "whole"
    words = words_of(copies, tmp_path)
    assert main(["evaluate", *words[:-1], str(whole)]) == 0
    asked: list[str] = []
    complete = HfTeacher.complete

    async def counted(teacher: HfTeacher, request: Any) -> Any:
        asked.append(teacher.name)
        if teacher.name.endswith("copy-2") and not (tmp_path / "again").exists():
            raise Killed
        return await complete(teacher, request)

    monkeypatch.setattr(HfTeacher, "complete", counted)
    with pytest.raises(Killed):
        main(["evaluate", *words])
    (tmp_path / "again").touch()
    asked.clear()
    assert main(["evaluate", *words]) == 0
    assert set(asked) == {f"hf:{copies[2]}"}
    assert set(living) == {1}
    for name in ("report.json", "answers.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()
