"""The list of the losses of `train sft`.

To add a loss, write its file and name its record here.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from train.losses import (
    answer_span,
    candidate_preference,
    info_nce,
    mcc_kd,
    prompt_tokens,
    scott,
    two_tasks,
)
from train.losses.record import Chosen, Loss, Option

LOSSES: tuple[Loss, ...] = (
    answer_span.LOSS,
    two_tasks.LOSS,
    scott.LOSS,
    mcc_kd.LOSS,
    info_nce.LOSS,
    candidate_preference.LOSS,
    prompt_tokens.LANGUAGE_MODEL,
    prompt_tokens.DEMONSTRATIONS,
)
"""All losses, in the order in which they join the whole loss. First come those that take a share of
it, then those that are added."""


def options_of(losses: tuple[Loss, ...]) -> tuple[Option, ...]:
    """Return the further flags of these losses, each once."""
    # a dict instead of a set, which would change the order of the flags
    return tuple(dict.fromkeys(chain.from_iterable(loss.options for loss in losses)))


def check(settings: Any) -> None:
    """Check that all weights and options are in range.

    Raises:
        UserError: one of them is out of range.
    """
    for loss in LOSSES:
        loss.range.check(loss.flag, getattr(settings, loss.flag))
    for option in options_of(LOSSES):
        option.range.check(option.flag, getattr(settings, option.flag))


def chosen(settings: Any) -> Chosen:
    """Return the losses that the settings of `train sft` give a weight."""
    weights = {loss.flag: getattr(settings, loss.flag) for loss in LOSSES}
    given = tuple(loss for loss in LOSSES if weights[loss.flag] is not None)
    return Chosen({loss.flag: weights[loss.flag] for loss in given}, given, settings)
