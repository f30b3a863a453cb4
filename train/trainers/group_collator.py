"""Collating groups of rows into a batch, with the masks that losses look at."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from train.data.roles import LEARNED
from train.data.spans import SPAN
from train.losses.record import Batch
from train.trl.trainers import Collator

if TYPE_CHECKING:
    from datasets import Dataset

MEMBERS = "members"
"""The column of a group: the numbers of its rows."""
OWN = ("role", "score", "group", "pairs", "answer_mask", "prompt_mask", "outputs_mask")
"""What a batch holds besides the model's inputs."""


@dataclass
class GroupCollator(Collator):
    """TRL's batch of the members of all groups, N rows of T tokens, and more columns.

    group, role, score    (N,)       number of the group, role of the row, the teacher's score
    answer_mask           (N, T)     true at the answer's tokens
    prompt_mask           (N, T)     true at the prompt's tokens, if they are learned too
    outputs_mask          (N, T)     true at the demonstrations' outputs, if they are learned too
    pairs                 (P, L, 2)  see `answer_pairs`
    """

    members: Dataset | None = None
    learn_prompts: bool = False

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = list(chain.from_iterable(example[MEMBERS] for example in examples))
        rows = self.members[numbers]  # type: ignore[index]
        tokens = zip(rows["input_ids"], rows["labels"], strict=True)
        batch = super().torch_call([{"input_ids": ids, "labels": labels} for ids, labels in tokens])

        # rows of one group stand together, in the order of its members
        sizes = torch.tensor([len(example[MEMBERS]) for example in examples])
        batch["group"] = torch.arange(len(sizes)).repeat_interleave(sizes)
        batch["role"] = torch.tensor(rows["role"])
        batch["score"] = torch.tensor(rows["score"], dtype=torch.float32)
        self.add_masks(batch, rows)
        batch["pairs"] = answer_pairs(batch)
        return dict(batch)

    def add_masks(self, batch: dict[str, Any], rows: dict[str, Any]) -> None:
        """Mark answer, prompt and outputs, and add labels where they are learned."""
        nowhere = torch.zeros_like(batch["labels"], dtype=torch.bool)
        batch["answer_mask"] = nowhere.clone()
        for mask, span in zip(batch["answer_mask"], rows.get(SPAN, []), strict=False):
            mask[slice(*span)] = True

        prompt = (batch["labels"] == -100) & batch["attention_mask"].bool()
        batch["prompt_mask"] = prompt if self.learn_prompts else nowhere.clone()
        batch["outputs_mask"] = nowhere.clone()
        for mask, outputs in zip(batch["outputs_mask"], rows.get("outputs", []), strict=False):
            mask[list(chain.from_iterable(outputs))] = True

        # TRL's head computes log-probabilities only where there is a label
        learned = batch["prompt_mask"] | batch["outputs_mask"]
        batch["labels"] = batch["labels"].where(~learned, batch["input_ids"])


def answer_pairs(inputs: dict[str, Tensor]) -> Tensor:
    """Return the positions at which two rationales of a question name the same answer.

    All answers' tokens of learned rows are numbered, row by row. A group counts if it has two
    learned rows whose answers are the same tokens.

    Returns:
        The numbers of both answers' tokens for each such group, (P, L, 2); -1 where an answer has
        ended.
    """
    batch = Batch(inputs)
    mask = batch.of(batch.answer, LEARNED)
    numbers = (mask.flatten().cumsum(0) - 1).view(mask.shape)
    found = []
    for group in range(int(inputs["group"][-1]) + 1):
        learned = (inputs["group"] == group) & (batch.role == LEARNED)
        rows = learned.nonzero().flatten().tolist()
        if len(rows) == 2:
            tokens = [inputs["input_ids"][row, 1:][mask[row]] for row in rows]
            # "1,200" and "1200" are the same answer, but their positions do not correspond
            if len(tokens[0]) and tokens[0].equal(tokens[1]):
                found.append(torch.stack([numbers[row][mask[row]] for row in rows], dim=-1))
    return pad_sequence(found or [numbers.new_zeros(0, 2)], batch_first=True, padding_value=-1)
