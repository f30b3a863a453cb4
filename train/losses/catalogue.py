"""The losses of `train sft`. To add one, write its file and name its record here."""

from __future__ import annotations

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
"""In the order in which they join the loss: shares of the plain loss first, then what is added."""


def options_of(losses: tuple[Loss, ...]) -> tuple[Option, ...]:
    """The further flags of these losses, each once."""
    return tuple(dict.fromkeys(option for loss in losses for option in loss.options))


def check(settings: Any) -> None:
    """Raise UserError for a weight or an option that is out of range."""
    for loss in LOSSES:
        loss.range.check(loss.flag, getattr(settings, loss.flag))
    for option in options_of(LOSSES):
        option.range.check(option.flag, getattr(settings, option.flag))


def chosen(settings: Any) -> Chosen:
    """The losses that the settings of `train sft` give a weight."""
    weights = {loss.flag: getattr(settings, loss.flag) for loss in LOSSES}
    given = tuple(loss for loss in LOSSES if weights[loss.flag] is not None)
    return Chosen({loss.flag: weights[loss.flag] for loss in given}, given, settings)
