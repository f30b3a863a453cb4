"""Losses over groups of rows on two processes whose batches hold unequal numbers of tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.test_groups import chain_flags
from train.cli import main

LOSSES = {"answer_weight": 0.3, "consistency_weight": 0.5, "contrast_weight": 0.5}
STEPS = 2


def log_of(folder: Path) -> list[tuple[float, float]]:
    """Loss and length of the gradient, by step."""
    state = json.loads((folder / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [(log["loss"], log["grad_norm"]) for log in state["log_history"] if "loss" in log]


def test_two_processes_have_loss_and_gradient_of_one(
    base: Path, chains: Path, tmp_path: Path
) -> None:
    """Adam hides the size of a gradient from the weights, so both are read from the log."""
    training = {"max_steps": STEPS, "save_steps": STEPS, "save_strategy": "steps"}
    common = {**LOSSES, **training, "logging_steps": 1}
    assert main(["sft", *chain_flags(base, chains, tmp_path / "one", **common)]) == 0
    halves = {**common, "per_device_train_batch_size": 2}
    launch = ["torch.distributed.run", "--nproc_per_node", "2", "--standalone", "-m", "train.sft"]
    subprocess.run(
        [sys.executable, "-m", *launch, *chain_flags(base, chains, tmp_path / "two", **halves)],
        check=True,
        timeout=300,
        env=os.environ | {"ACCELERATE_USE_CPU": "true"},
    )
    one, two = (log_of(tmp_path / name) for name in ("one", "two"))
    assert len(one) == STEPS
    assert two == [pytest.approx(step, rel=2e-3) for step in one]
