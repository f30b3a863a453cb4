"""What a loss sees: a batch of rows in groups, and what the student makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from train.data.roles import LEARNED, WRONG

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """N rows of T tokens in groups. Masks are (N, T-1): position t predicts token t+1."""

    inputs: Mapping[str, Tensor]
    """What the collator of `train.trainers.group_collator` makes."""

    @cached_property
    def role(self) -> Tensor:
        """The role of each row (`train.data.roles`), (N,)."""
        return self.inputs["role"]

    @cached_property
    def prompt(self) -> Tensor:
        """Tokens of the prompt, if a loss learns them."""
        return self.inputs["prompt_mask"][:, 1:]

    @cached_property
    def outputs(self) -> Tensor:
        """Tokens of the demonstrations' outputs, if a loss learns them."""
        return self.inputs["outputs_mask"][:, 1:]

    @cached_property
    def completion(self) -> Tensor:
        """Tokens of the completion."""
        return (self.inputs["labels"][:, 1:] != -100) & ~self.prompt & ~self.outputs

    @cached_property
    def answer(self) -> Tensor:
        """Tokens of the completion that name the answer."""
        return self.completion & self.inputs["answer_mask"][:, 1:]

    def of(self, mask: Tensor, role: int) -> Tensor:
        """The mask in the rows of a role; false in all others."""
        return mask & (self.role == role)[:, None]

    def by_group(self, values: Tensor) -> Tensor:
        """One value a row (N,) as (groups, rows of the largest group); 0 where a group has
        fewer.
        """
        import torch

        # groups differ in size: each row gets its place inside of its group
        group = self.inputs["group"]
        sizes = group.bincount()
        starts = sizes.cumsum(0) - sizes
        place = torch.arange(len(group), device=group.device) - starts[group]
        return values.new_zeros(len(sizes), int(sizes.max())).index_put((group, place), values)

    def role_by_group(self, role: int) -> Tensor:
        """Which places of each group have this role, (groups, rows of the largest group)."""
        return self.by_group(self.role == role)

    @cached_property
    def contrasted(self) -> Tensor:
        """Groups that have both right and wrong rationales, (groups,)."""
        return self.role_by_group(LEARNED).any(-1) & self.role_by_group(WRONG).any(-1)


@dataclass(frozen=True)
class Outcome:
    """What the student makes of a batch."""

    log_probs: Tensor
    """The log-probability of every label, (N, T-1)."""
    answer_logits: Tensor | None = None
    """Logits at the answers' tokens of the learned rows, row by row, (M, V), if a loss asks for
    them."""
