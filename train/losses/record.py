"""What a loss is: one record for each, which says everything that the rest of `train` needs.

A file of this folder holds a loss: the function of the paper, which trains, and its record. The
list in `train.losses.catalogue` names the records. Flags, checks, grouping of rows, the training
loss and the model card follow from them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from datagen.errors import UserError
from train.data.grouping import Need, RowPlan
from train.losses.likelihood import nll

if TYPE_CHECKING:
    from torch import Tensor

    from train.losses.batch import Batch, Outcome

Tokens = Literal["answer", "prompt", "outputs"]
"""Tokens that only some losses look at: the answer in a completion, the prompt, and the outputs of
the demonstrations in a prompt."""
Add = Callable[["Tensor", "Tensor", float], "Tensor"]
"""(the loss so far, a further part, its weight) -> both together."""
Mask = Callable[["Batch"], "Tensor"]
"""The tokens of a batch that a part of the loss looks at, (N, T-1)."""


@dataclass(frozen=True)
class Range:
    """The values that a number may have."""

    least: float
    most: float
    words: str

    def check(self, flag: str, value: float | None) -> None:
        """Raise UserError for a value outside of the range. None is no value."""
        if value is not None and not self.least <= value <= self.most:
            raise UserError(f"--{flag} {value}: {self.words} is needed")


SHARE = Range(0, 1, "a number from 0 to 1")
WEIGHT = Range(0, sys.float_info.max, "a number of at least 0")
POSITIVE = Range(sys.float_info.min, sys.float_info.max, "a number above 0")


def at_least(least: int) -> Range:
    """A whole number of at least `least`."""
    return Range(least, sys.maxsize, f"at least {least}")


@dataclass(frozen=True)
class Option:
    """A further flag, which one loss or several take."""

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
    """A mean over what it counts. Its parts over the batches of a step add up to the step's mean.

    `value` gets the batch, the student's outcome, the options of `train sft`, and the count of the
    whole step (None: the batch is the step).
    """

    count: Callable[[Batch], Tensor]
    """How many tokens, positions or questions of a batch the mean is over."""
    value: Callable[[Batch, Outcome, Any, Tensor | None], Tensor]


def likelihood(mask: Mask) -> Term:
    """The cross-entropy of the tokens of a mask."""
    return Term(
        lambda batch: mask(batch).sum(),
        lambda batch, outcome, _, count: nll(outcome.log_probs, mask(batch), count),
    )


def added(loss: Tensor, part: Tensor, weight: float) -> Tensor:
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
    add: Add = added
    """How the part joins the loss of those that stand before it in the catalogue."""
    need: Need | None = None
    """What some source must have, and which command makes it."""
    rows: RowPlan = field(default_factory=RowPlan)
    """Which rows must stand in a batch together."""
    tokens: frozenset[Tokens] = frozenset()
    """Which tokens of the rows must be marked in a batch."""
    compares_logits: bool = False
    """Whether it needs the student's logits at the answer's tokens."""
    plain: tuple[str, Mask] | None = None
    """The name and the tokens that the plain cross-entropy keeps where this loss takes the others;
    None: the plain cross-entropy is over all tokens of the completion."""
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The losses that a command asks for, with their weights and options."""

    weights: Mapping[str, float]
    """By flag."""
    losses: tuple[Loss, ...]
    options: Any

    def with_tokens(self, tokens: Tokens) -> str | None:
        """The flag of the first loss that looks at these tokens, or None."""
        return next((loss.flag for loss in self.losses if tokens in loss.tokens), None)

    @property
    def compares_logits(self) -> str | None:
        """The flag of the first loss that needs logits at the answer's tokens, or None."""
        return next((loss.flag for loss in self.losses if loss.compares_logits), None)

    @property
    def sentences(self) -> dict[str, str]:
        """What the model card says of each, by flag."""
        return {loss.flag: loss.sentence for loss in self.losses}
