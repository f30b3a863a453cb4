"""Distilling step by step: the loss on the direct answer as a second task (`--label_weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train.data.grouping import Need, RowPlan
from train.data.roles import LABEL
from train.data.siblings import direct_answers
from train.losses.record import SHARE, Loss, likelihood_term

if TYPE_CHECKING:
    from torch import Tensor


def distilling_step_by_step(rationale: Tensor, label: Tensor, alpha: float = 0.5) -> Tensor:
    """Return alpha * L_label + (1-alpha) * L_rationale, over two tasks on the same questions.

    One task asks for the rationale. The other asks for the label alone, in its own forward pass.

    Args:
        rationale: loss of the rationales, a scalar.
        label: cross-entropy of the direct answers, a scalar (`nll`).
        alpha: the share of the direct answers.

    Source:
        Hsieh et al. 2023, arXiv 2305.02301, section 3.2, with the weights of its code.
    """
    return (1 - alpha) * rationale + alpha * label


LOSS = Loss(
    name="label",
    flag="label_weight",
    range=SHARE,
    help=(
        "Weight of the direct answer as a task of its own, from 0 to 1 (distilling step by step). "
        "The direct answer is the row of the config `answers` to the same question. The loss is "
        "(1 - w) * loss of the rationales + w * loss of the direct answers."
    ),
    sentence="the direct answer as a task of its own, against the rationale",
    term=likelihood_term(lambda batch: batch.of(batch.completion, LABEL)),
    add=distilling_step_by_step,
    need=Need("label", "a config of rationales, and `answers` to the same questions beside it"),
    rows=RowPlan(attach=direct_answers),
)
