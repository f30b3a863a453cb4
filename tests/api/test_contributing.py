"""The worked examples of CONTRIBUTING, as code: a method, a filter and an engine are added without
touching a file of the project. (`tests/train/test_adding_a_loss.py` adds a loss.)"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import datagen
from datagen.run.open_run import OpenRun
from datagen.teacher import Teacher
from datagen.teacher.settings import TeacherSettings
from tests.stubs import ROOT


def example(heading: str) -> dict[str, Any]:
    """The names that the Python blocks of a section define, run one after another."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]
    names: dict[str, Any] = {"__name__": "example"}
    for block in re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
        exec(compile(block, heading, "exec", dont_inherit=True), names)
    return names


@pytest.fixture
def echo(monkeypatch) -> Teacher:
    """The engine of CONTRIBUTING, in the place of the teacher that the settings name."""
    teacher: Teacher = example("Add an engine")["EchoTeacher"]()
    monkeypatch.setattr(TeacherSettings, "connect", lambda settings, out: teacher)
    return teacher


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.jsonl"
    rows = [{"text": text} for text in ("Paris.", "A poem\nabout rain", "Two plus two is four.")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_new_method_runs_on_a_new_engine_resumes_and_is_published(echo, texts, tmp_path):
    method = example("Add a method")
    settings = method["BacktranslateSettings"](str(texts), out=tmp_path / "run")
    result = method["run_backtranslate"](settings)
    rows = list(datagen.Run.of(result).rows("instructions"))
    assert [row["instruction"] for row in rows] == ["Paris.", "about rain", "Two plus two is four."]
    assert "accepted:  3" in result.summary
    before = (tmp_path / "run" / "instructions.parquet").read_bytes()

    # the same command again asks nothing, and leaves the same bytes
    echo.complete = None
    assert method["run_backtranslate"](settings).stats == result.stats
    assert (tmp_path / "run" / "instructions.parquet").read_bytes() == before

    version = datagen.open_run(tmp_path / "run").publish("texts", store=tmp_path / "store")
    assert version.lineage.method == "backtranslate"
    assert version.lineage.teacher.name == "echo"
    assert version.lineage.run.prompts == {"instruction": method["PROMPT"]}


def test_a_stopped_run_of_a_new_method_goes_on(echo, texts, tmp_path, monkeypatch):
    method = example("Add a method")
    settings = method["BacktranslateSettings"](str(texts), out=tmp_path / "run", concurrency=1)
    finish = OpenRun._finish

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(OpenRun, "_finish", killed)
    with pytest.raises(KeyboardInterrupt):
        method["run_backtranslate"](settings)
    monkeypatch.setattr(OpenRun, "_finish", finish)
    echo.complete = None
    assert method["run_backtranslate"](settings).stats["accepted"] == {"instructions": 3}


def test_a_new_filter_is_a_function(echo, texts, tmp_path):
    method = example("Add a method")
    settings = method["BacktranslateSettings"](str(texts), out=tmp_path / "run")
    method["run_backtranslate"](settings)

    def too_short(row):
        return "too_short" if len(row["instruction"].split()) < 2 else None

    run = datagen.filter_rows(tmp_path / "run", filters=[too_short], out=tmp_path / "longer")
    assert run.stats.rejected == {"too_short": 1}
    assert run.stats.accepted == {"instructions": 2}
