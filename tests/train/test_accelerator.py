"""On an accelerator every trainer has the loss curve that it has on the CPU, and bfloat16 comes
near it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from datagen.cli import main as datagen
from tests.train.test_sft import flags
from train.cli import main

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.accelerator.is_available(), reason="no accelerator"),
]
STEPS = 8
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "sft": ("sft", {}),
    "weighed": ("sft", {"answer_weight": 0.3}),
    "groups": ("sft", {"consistency_weight": 0.5, "contrast_weight": 0.5}),
    "kd": ("kd", {"dataset": "stored@1.0.0", "sft_weight": 0.5}),
    "gkd": ("gkd", {"lmbda": 0}),
}


@pytest.fixture(scope="module")
def stored(chains: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `chains`, and in it `stored@1.0.0`, the same with the teacher's
    probabilities."""
    run = tmp_path_factory.mktemp("topk") / "run"
    words = [
        "topk",
        "chains@1.0.0",
        "--store",
        str(chains),
        "--teacher",
        f"hf:{teacher}",
        "--teacher_topk",
        "16",
    ]
    assert datagen([*words, "--out", str(run)]) == 0
    assert datagen(["publish", str(run), "stored", "--store", str(chains)]) == 0
    return chains


@pytest.mark.parametrize("way", WAYS)
def test_the_loss_curve_is_that_of_the_cpu(
    base: Path, stored: Path, teacher: Path, tmp_path: Path, way: str
) -> None:
    def curve(name: str, **others: Any) -> list[float]:
        command, own = WAYS[way]
        settings = {
            "dataset": "chains@1.0.0",
            "max_steps": STEPS,
            "logging_steps": 1,
            "save_steps": STEPS,
            **own,
        }
        settings |= {"teacher_model_name_or_path": teacher} if command == "gkd" else {}
        out = tmp_path / name
        assert main([command, *flags(base, stored, out, **settings, **others)]) == 0
        told = json.loads((out / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
        return [float(entry["loss"]) for entry in told["log_history"] if "loss" in entry]

    cpu = curve("cpu", use_cpu=True, bf16=False)
    assert len(cpu) == STEPS
    assert cpu[0] != cpu[-1]
    assert curve("accelerator", bf16=False) == pytest.approx(cpu, rel=2e-3)
    assert curve("half", bf16=True) == pytest.approx(cpu, rel=0.05)
