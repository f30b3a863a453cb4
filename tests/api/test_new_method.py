"""A new method is three short files. It touches no file of the project."""

import subprocess
from pathlib import Path

import pytest

import datagen
from datagen.errors import UserError
from tests.api.new_method.generate import run_agreed_sums
from tests.api.new_method.settings import SumSettings
from tests.datagen.endpoint import Endpoint, Served
from tests.test_layers import ROOT

PAIRS = [(first, 10 + first) for first in range(12)]
FILES = ("settings.py", "generate.py", "templates/sum.txt")


@pytest.fixture
def source(tmp_path) -> str:
    (tmp_path / "pairs.txt").write_text("\n".join(f"{a} {b}" for a, b in PAIRS))
    return str(tmp_path / "pairs.txt")


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Endpoint()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


def run(source: str, out: Path, **settings):
    return run_agreed_sums(SumSettings(source, teacher="openai:arith", out=out, **settings))


def test_it_is_three_short_files():
    folder = ROOT / "tests" / "api" / "new_method"
    lengths = [len((folder / name).read_text().splitlines()) for name in FILES]
    assert sum(lengths) <= 120
    # no file of the project knows it
    found = subprocess.run(
        ["grep", "-rl", "agreed_sum", "datagen", "train", "cards"], cwd=ROOT, capture_output=True
    )
    assert not found.stdout


def test_its_rows_hold_what_the_algorithm_says(source, tmp_path, endpoint):
    result = run(source, tmp_path / "run")
    run_ = datagen.open_run(tmp_path / "run")
    rows = [*run_.rows("instructions"), *run_.rows("rejected")]
    assert len(rows) == len(PAIRS)
    assert {row["reason"] for row in run_.rows("rejected")} == {"disagree"}
    assert run_.config.prompts == {"sum": "What is {first} plus {second}?"}
    assert f"accepted:  {run_.stats.accepted['instructions']}" in result.summary
    assert "disagree" in result.summary


def test_it_goes_on_where_it_was_stopped(source, tmp_path, endpoint):
    """The run ends by itself when the endpoint refuses the key; the same call continues it."""
    run(source, tmp_path / "whole", concurrency=1)
    answered = endpoint.answered.total()

    endpoint.faults = ["", "", "", "", "401"]
    with pytest.raises(UserError, match=r"401|key"):
        run(source, tmp_path / "run", concurrency=1)
    assert answered < endpoint.answered.total() < 2 * answered

    run(source, tmp_path / "run", concurrency=1)
    # nothing that was answered is asked again, and the rows are the same
    assert endpoint.answered.total() == 2 * answered
    for name in "instructions", "rejected":
        before, after = (tmp_path / place / f"{name}.parquet" for place in ("whole", "run"))
        assert before.read_bytes() == after.read_bytes()


def test_another_setting_is_another_run(source, tmp_path, endpoint):
    run(source, tmp_path / "run")
    with pytest.raises(UserError, match=r"settings\.samples was 3, now 4"):
        run(source, tmp_path / "run", samples=4)
    with pytest.raises(UserError, match="--samples 0: must be at least 1"):
        SumSettings(source, samples=0)


def test_it_is_published_like_any_other(source, tmp_path, endpoint):
    run(source, tmp_path / "run")
    finished = datagen.open_run(tmp_path / "run")
    version = finished.publish("sums", store=tmp_path / "store", license="cc0-1.0")
    assert version.configs["instructions"] == finished.stats.accepted["instructions"]
    card = (version.path / "README.md").read_text()
    assert "agreed-sums" in card
    assert "What is {first} plus {second}?" in card
    version.verify()
