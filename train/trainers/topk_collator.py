"""Collating rows into a batch with the teacher's stored probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from train.data.topk_column import ROW, Stored
from train.trl.trainers import Collator

TENSORS = ("topk_ids", "topk_logprobs", "topk_tail")
NOT_STORED = -1.0
"""Marks positions where nothing is stored: no probability is negative."""


@dataclass
class TopkCollator(Collator):
    """TRL's batch, with the teacher's stored probabilities at the position of every label.

    topk_ids, topk_logprobs  (B, T, K)  the K most probable tokens
    topk_tail                (B, T)     the mass of all others; below 0 where nothing is stored
    prompt_mask              (B, T)     true at the prompts' tokens that are learned

    With `prompts` the prompts' tokens are learned too, except the first one. They have no label.
    """

    stored: Stored | None = None
    prompts: Stored | None = None

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        assert self.stored is not None
        batch = dict(super().torch_call(examples))
        shape = batch["labels"].shape
        k = self.stored.k
        # where nothing is stored, ids must still differ from each other (`losses.bucket`)
        batch["topk_ids"] = torch.arange(k).expand(*shape, k).clone()
        batch["topk_logprobs"] = torch.zeros(*shape, k)
        batch["topk_tail"] = torch.full(shape, NOT_STORED)
        batch["prompt_mask"] = torch.zeros(shape, dtype=torch.bool)

        for b, example in enumerate(examples):
            start = int((batch["labels"][b] != -100).int().argmax())
            end = len(example["input_ids"])
            write_stored(batch, b, self.stored.tensors(example[ROW]), start, end)
            if self.prompts is not None:
                write_stored(batch, b, self.prompts.tensors(example[ROW]), 1, start)
                batch["prompt_mask"][b, 1:start] = True
        return batch


def write_stored(
    batch: dict[str, Tensor], b: int, tensors: Sequence[Tensor], start: int, end: int
) -> None:
    """Write stored probabilities into row b of a batch, from place `start` up to `end` at most."""
    # truncation may have cut the row, and padding follows it
    end = min(start + len(tensors[0]), end)
    for name, values in zip(TENSORS, tensors, strict=True):
        batch[name][b, start:end] = values[: end - start]
