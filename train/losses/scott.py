"""SCOTT: the loss on the answers of wrong rationales (`--counterfactual_weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train.data.grouping import Need, RowPlan
from train.data.roles import WRONG
from train.data.siblings import wrong_rationales
from train.losses.record import NEGATIVES, SHARE, Loss, likelihood_term

if TYPE_CHECKING:
    from torch import Tensor


def counterfactual(factual: Tensor, counterfactual: Tensor, weight: float = 0.5) -> Tensor:
    """Return (1-w) * L_factual + w * L_counterfactual.

    A counterfactual row has a rationale that argues for a wrong answer. The rationale is given, and
    only the tokens of its answer are learned. So the student learns that the answer follows from
    the rationale.

    Args:
        factual: loss of the right rationales and their answers, a scalar.
        counterfactual: cross-entropy of the answer tokens of the wrong rationales, a scalar
            (`nll`).
        weight: w, the share of the counterfactual rows.

    Source:
        SCOTT: Wang et al. 2023, arXiv 2305.01879, section 3.2.
    """
    return (1 - weight) * factual + weight * counterfactual


LOSS = Loss(
    name="counterfactual",
    flag="counterfactual_weight",
    range=SHARE,
    help=(
        "Weight of the answers that wrong rationales end with, from 0 to 1 (SCOTT). The wrong "
        "rationale is given; only its answer is learned. The loss is (1 - w) * loss of the right "
        "rationales + w * loss of these answers."
    ),
    sentence="answers that wrong rationales end with, against the right rationales",
    term=likelihood_term(lambda batch: batch.of(batch.answer, WRONG)),
    add=counterfactual,
    need=Need(
        "wrong", "wrong rationales of questions that have right ones, in the config `rejected`"
    ),
    rows=RowPlan(attach=wrong_rationales),
    tokens=frozenset({"answer"}),
    options=(NEGATIVES,),
)
