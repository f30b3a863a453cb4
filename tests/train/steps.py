"""Loss and gradient of the steps of a training, as its optimizer gets them, on one process or
several.

    torchrun --nproc_per_node 2 -m tests.train.steps TRAININGS.json OUT.pt

TRAININGS.json holds a list of [command, words]; OUT.pt gets the steps of each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

Step = tuple[float, Tensor]
"""Loss, and all gradients in one row."""


class Gradients(TrainerCallback):
    """Keeps the gradients of every step."""

    def __init__(self) -> None:
        self.found: list[Tensor] = []

    def on_pre_optimizer_step(self, *_: Any, model: Any, **__: Any) -> None:
        self.found.append(
            torch.cat([p.grad.detach().clone().flatten() for p in model.parameters()])
        )


def trainer_of(command: str, words: list[str]) -> Any:
    from train import gkd, kd

    return gkd.build(*gkd.parse_gkd(words)) if command == "gkd" else kd.build(*kd.parse_kd(words))


def steps_of(command: str, words: list[str]) -> list[Step]:
    """Train, with a rate of 0, so that all steps have the same weights."""
    fixed = {"learning_rate": 0, "max_grad_norm": 0, "save_strategy": "no", "disable_tqdm": True}
    words = [*words, *(w for name, value in fixed.items() for w in (f"--{name}", str(value)))]
    trainer = trainer_of(command, words)
    gradients = Gradients()
    trainer.add_callback(gradients)
    losses: list[Tensor] = []
    step = trainer.training_step

    def watched(*args: Any, **kwargs: Any) -> Tensor:
        losses.append(step(*args, **kwargs))
        return losses[-1]

    trainer.training_step = watched
    trainer.train()
    parts = trainer.accelerator.reduce(torch.stack(losses), "mean")
    whole = parts.view(-1, trainer.args.gradient_accumulation_steps).sum(1)
    return list(zip(whole.tolist(), gradients.found, strict=True))


def main() -> None:
    trainings, out = sys.argv[1:]
    found = [steps_of(*training) for training in json.loads(Path(trainings).read_text())]
    if int(torch.distributed.get_rank()) == 0:
        torch.save(found, out)


if __name__ == "__main__":
    main()
