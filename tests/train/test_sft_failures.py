"""What ends a training before its time: a loss that is no number, a disk that is full."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.train.test_sft import flags, same, weights
from tests.train.test_sft import student as student  # a fixture
from train.cli import main


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("train: ")]


@pytest.mark.parametrize(
    "share", [0.5, 2.0], ids=["the model does not fit", "the optimizer does not fit"]
)
def test_no_room_for_a_checkpoint_leaves_the_earlier_one_whole(
    base: Path,
    store: Path,
    student: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    share: float,
) -> None:
    """Files may have `share` times the size of the model; the optimizer's state has twice that, and
    a little more."""
    out = tmp_path / "out"
    shutil.copytree(student / "checkpoint-5", out / "checkpoint-5")
    started = json.loads((student / "lineage.json").read_text())
    del started["result"]
    (out / "lineage.json").write_text(json.dumps(started))
    kept = {file.name: file.read_bytes() for file in (out / "checkpoint-5").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (int(share * (base / "model.safetensors").stat().st_size), limits[1])
    )
    try:
        status = main(["sft", *flags(base, store, out)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2
    [line] = errors(capsys)
    whole = "checkpoint-5 is whole, and the same command goes on from it"
    assert f"no room left to write in {out}: {whole}" in line
    assert not (out / "checkpoint-10").exists()
    assert {file.name: file.read_bytes() for file in (out / "checkpoint-5").iterdir()} == kept
    assert main(["sft", *flags(base, store, out)]) == 0
    assert same(weights(out), weights(student))


def poisoned(base: Path, folder: Path, letter: str) -> Path:
    """The base, with no number in the embedding of one letter."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(base),
        AutoTokenizer.from_pretrained(base),
    )
    model.get_input_embeddings().weight.data[tokenizer(letter).input_ids] = float("nan")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("losses", [{}, {"answer_weight": 0.5}], ids=["plain", "weighed"])
def test_a_loss_that_is_no_number_stops_and_says_where(
    base: Path,
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    losses: dict[str, Any],
) -> None:
    """Of 24 questions, those with a 7 have no loss: a step before the seventh has one, in batches
    of four."""
    words = flags(poisoned(base, tmp_path / "poisoned", "7"), store, tmp_path / "out", **losses)
    assert main(["sft", *words]) == 2
    [line] = errors(capsys)
    step = int(line.split("the loss is nan in step ")[1].split(":")[0])
    assert 1 <= step <= 6
    shown = [part for part in line.split("'") if part.startswith("Tom has")]
    assert shown
    assert "rows of the batch have no finite loss, such as" in line
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_weights_that_ran_away_stop_before_they_are_saved(
    base: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["sft", *flags(base, store, tmp_path / "out", learning_rate=1e30, save_steps=1)]) == 2
    )
    [line] = errors(capsys)
    assert "in step 2: " in line
    assert "checkpoint-1 is kept" in line
    assert [folder.name for folder in (tmp_path / "out").glob("checkpoint-*")] == ["checkpoint-1"]
