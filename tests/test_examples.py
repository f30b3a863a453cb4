"""The examples run as they stand, cell by cell, on the embedded teacher; small by the environment."""

import os
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
SMALL = {
    "QUESTIONS": "12",
    "TARGET": "8",
    "QUERIES": "4",
    "TEST_QUERIES": "2",
    "STEPS": "2",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, value in {**SMALL, "EXAMPLES": str(tmp_path / "made")}.items():
        monkeypatch.setenv(name, value)
    runpy.run_path(str(example), run_name="__main__")
    said = capsys.readouterr().out
    assert "teacher" in said
    assert (tmp_path / "made" / "report" / "report.json").is_file()
    # nothing is written elsewhere
    assert os.listdir(tmp_path) == ["made"]


def test_there_is_one_example_an_ability():
    assert [path.stem for path in EXAMPLES] == [
        "chain_of_thought",
        "in_context",
        "instructions",
    ]
