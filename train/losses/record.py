"""The interface of a loss of `train sft`: the batch that it sees, and the record that declares it.

Each loss has a file in this folder. The file holds the function of the paper, which trains, and the
record of the loss. The list in `train.losses.catalogue` names the records. Flags, checks, grouping
of rows, the training loss and the model card follow from them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from datagen.errors import UserError
from train.data.grouping import Need, RowPlan
from train.data.roles import LEARNED, WRONG
from train.losses.likelihood import nll

if TYPE_CHECKING:
    from torch import Tensor

Tokens = Literal["answer", "prompt", "outputs"]
"""Tokens that only some losses look at. They are the answer in a completion, the prompt, and the
outputs of the demonstrations in a prompt."""
Add = Callable[["Tensor", "Tensor", float], "Tensor"]
"""Joins the loss so far with a further part and its weight."""
Mask = Callable[["Batch"], "Tensor"]
"""The tokens of a batch that a part of the loss looks at, (N, T-1)."""


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
        # where a loss learns prompts or outputs, they have labels too
        return (self.inputs["labels"][:, 1:] != -100) & ~self.prompt & ~self.outputs

    @cached_property
    def answer(self) -> Tensor:
        """Tokens of the completion that name the answer."""
        return self.completion & self.inputs["answer_mask"][:, 1:]

    def of(self, mask: Tensor, role: int) -> Tensor:
        """Return the mask in the rows of a role, and false in all others."""
        return mask & (self.role == role)[:, None]

    def by_group(self, values: Tensor) -> Tensor:
        """Return one value per row, (N,), as (groups, rows of the largest group).

        It is 0 at the places that a smaller group does not have.
        """
        import torch

        # groups differ in size: each row gets its place inside of its group
        group = self.inputs["group"]
        sizes = group.bincount()
        starts = sizes.cumsum(0) - sizes
        place = torch.arange(len(group), device=group.device) - starts[group]
        return values.new_zeros(len(sizes), int(sizes.max())).index_put((group, place), values)

    def role_by_group(self, role: int) -> Tensor:
        """Return which places of a group have this role, (groups, rows of the largest group)."""
        return self.by_group(self.role == role)

    @cached_property
    def contrasted(self) -> Tensor:
        """Groups that have both right and wrong rationales, (groups,)."""
        return self.role_by_group(LEARNED).any(-1) & self.role_by_group(WRONG).any(-1)


@dataclass(frozen=True)
class Outcome:
    """What the student computed for a batch."""

    log_probs: Tensor
    """The log-probability of every label, (N, T-1)."""
    answer_logits: Tensor | None = None
    """Logits at the answers' tokens of the learned rows, row by row, (M, V). None if no loss needs
    them."""


@dataclass(frozen=True)
class Range:
    """The values that a number may have."""

    least: float
    most: float
    words: str

    def check(self, flag: str, value: float | None) -> None:
        """Raise UserError for a value outside of the range; None is accepted."""
        if value is not None and not self.least <= value <= self.most:
            raise UserError(f"--{flag} {value}: {self.words} is needed")


SHARE = Range(0, 1, "a number from 0 to 1")
WEIGHT = Range(0, sys.float_info.max, "a number of at least 0")
POSITIVE = Range(sys.float_info.min, sys.float_info.max, "a number above 0")


def at_least(least: int) -> Range:
    """Return the range of whole numbers of at least `least`."""
    return Range(least, sys.maxsize, f"at least {least}")


@dataclass(frozen=True)
class Option:
    """A further flag that one or several losses take."""

    flag: str
    default: int | float
    help: str
    range: Range


TEMPERATURE = Option(
    "temperature",
    1.0,
    "Temperature of the distributions that the losses on consistency, contrast and preference "
    "compare.",
    POSITIVE,
)
NEGATIVES = Option(
    "negatives",
    4,
    "At most this many wrong rationales stand in a batch with each right one.",
    at_least(1),
)


@dataclass(frozen=True)
class Term:
    """A mean over the tokens, positions or questions that it counts.

    The values of a step's batches add up to the mean over the step. `value` takes the batch, the
    student's outcome, the options of `train sft`, and the count of the whole step. A count of None
    means that the batch is the step.
    """

    count: Callable[[Batch], Tensor]
    """How many tokens, positions or questions of a batch the mean is over."""
    value: Callable[[Batch, Outcome, Any, Tensor | None], Tensor]


def likelihood_term(mask: Mask) -> Term:
    """Return the term of the cross-entropy over the tokens of a mask."""
    return Term(
        lambda batch: mask(batch).sum(),
        lambda batch, outcome, _, count: nll(outcome.log_probs, mask(batch), count),
    )


def add_weighted(loss: Tensor, part: Tensor, weight: float) -> Tensor:
    """Return loss + weight * part."""
    return loss + weight * part


@dataclass(frozen=True)
class Loss:
    """One loss of `train sft`.

    Example:
        A loss on the length of the prompts would be one file with its function and

        LOSS = Loss(
            name="length",
            flag="length_weight",
            range=WEIGHT,
            help="Weight of ...",
            sentence="what the card says of it",
            term=Term(count=..., value=...),
        )

        and its name in `train.losses.catalogue.LOSSES`.
    """

    name: str
    """What the training log calls it."""
    flag: str
    range: Range
    help: str
    sentence: str
    """What the model card says of it."""
    term: Term
    add: Add = add_weighted
    """How the part joins the loss of those before it in the catalogue."""
    need: Need | None = None
    """What at least one source must have, and which command makes it."""
    rows: RowPlan = field(default_factory=RowPlan)
    """Which rows must be in a batch together."""
    tokens: frozenset[Tokens] = frozenset()
    """Which tokens of the rows must be marked in a batch."""
    compares_logits: bool = False
    """Whether it needs the student's logits at the answer's tokens."""
    plain: tuple[str, Mask] | None = None
    """The name and the tokens of the plain cross-entropy if this loss takes the other tokens. None:
    the plain cross-entropy is over all tokens of the completion."""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The losses that a command asks for, with their weights and options."""

    weights: Mapping[str, float]
    """By flag."""
    losses: tuple[Loss, ...]
    options: Any

    def with_tokens(self, tokens: Tokens) -> str | None:
        """Return the flag of the first loss that looks at these tokens, or None."""
        return next((loss.flag for loss in self.losses if tokens in loss.tokens), None)

    @property
    def compares_logits(self) -> str | None:
        """The flag of the first loss that needs logits at the answer's tokens, or None."""
        return next((loss.flag for loss in self.losses if loss.compares_logits), None)

    @property
    def sentences(self) -> dict[str, str]:
        """What the model card says of each, by flag."""
        return {loss.flag: loss.sentence for loss in self.losses}
