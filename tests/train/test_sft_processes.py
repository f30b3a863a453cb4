"""`train sft` on two processes, and killed in the middle: slow, since each starts Python anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.test_sft import flags, same, weights
from train.cli import main

pytestmark = pytest.mark.slow

LOSSES = [{}, {"answer_weight": 0.3, "consistency_weight": 0.5, "contrast_weight": 0.5}]
NAMES = ["plain", "groups"]


def words(
    base: Path, chains: Path, out: Path, losses: dict[str, float], **others: Any
) -> list[str]:
    settings = {"dataset": "chains@1.0.0", "max_steps": 12, "logging_steps": 1, **losses, **others}
    return flags(base, chains, out, **settings)


def curve(out: Path) -> list[float]:
    """The loss of every step."""
    history = json.loads((out / "checkpoint-12" / "trainer_state.json").read_text())["log_history"]
    return [float(entry["loss"]) for entry in history if "loss" in entry]


@pytest.mark.parametrize("losses", LOSSES, ids=NAMES)
def test_two_processes_have_the_loss_curve_of_one(
    base: Path, chains: Path, tmp_path: Path, losses: dict[str, float]
) -> None:
    assert main(["sft", *words(base, chains, tmp_path / "one", losses)]) == 0
    launch = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--standalone",
        "-m",
        "train.sft",
    ]
    command = [
        sys.executable,
        *launch,
        *words(base, chains, tmp_path / "two", losses, per_device_train_batch_size=2),
    ]
    subprocess.run(
        command, check=True, timeout=300, env=os.environ | {"ACCELERATE_USE_CPU": "true"}
    )
    one, two = (curve(tmp_path / name) for name in ("one", "two"))
    assert len(one) == 12
    assert two == pytest.approx(one, abs=2e-3)
    found, wanted = weights(tmp_path / "two"), weights(tmp_path / "one")
    assert all(found[name].allclose(wanted[name], atol=1e-4) for name in wanted)
    assert json.loads((tmp_path / "two" / "lineage.json").read_text())["settings"]["devices"] == 2


@pytest.mark.parametrize("losses", LOSSES, ids=NAMES)
def test_a_run_that_was_killed_ends_with_the_same_weights(
    base: Path, chains: Path, tmp_path: Path, losses: dict[str, float]
) -> None:
    assert main(["sft", *words(base, chains, tmp_path / "whole", losses)]) == 0
    command = [
        "-m",
        "train.cli",
        "sft",
        *words(base, chains, tmp_path / "killed", losses, save_steps=1),
    ]
    run = subprocess.Popen([sys.executable, *command])
    while run.poll() is None and not (tmp_path / "killed" / "checkpoint-4").is_dir():
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert main(["sft", *words(base, chains, tmp_path / "killed", losses, save_steps=1)]) == 0
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))
