"""MCC-KD: the loss that makes two rationales agree on the answer (`--consistency_weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from train.data.grouping import Need, RowPlan
from train.losses.divergences import divergence
from train.losses.likelihood import masked_mean
from train.losses.record import TEMPERATURE, WEIGHT, Batch, Loss, Outcome, Term

if TYPE_CHECKING:
    from torch import Tensor


def consistency(
    first: Tensor,
    second: Tensor,
    mask: Tensor,
    *,
    temperature: float = 1.0,
    count: Tensor | None = None,
) -> Tensor:
    """Return 1/2 * [KL(p||q) + KL(q||p)], a mean over the answer's positions.

    p and q are the student's own distributions, after one rationale and after another rationale of
    the same question. The paper adds this with a weight of 0.1 to the mean cross-entropy of both.

    Args:
        first: logits after the first rationale, (..., L, V): position i is the answer's i-th token.
        second: logits after the second rationale, likewise.
        mask: false where the answer has ended, (..., L).
        temperature: T of both distributions; the result is multiplied by T^2.
        count: the number of positions of the whole step. Default: as many as the mask has.

    Source:
        MCC-KD: Chen et al. 2023, arXiv 2310.14747.
    """
    both = [
        divergence(a, b, temperature=temperature) for a, b in ((first, second), (second, first))
    ]
    return masked_mean(sum(both) / 2, mask, count)


def answer_positions(batch: Batch) -> Tensor:
    """Return which positions of the pairs are tokens of an answer, (P, L)."""
    return batch.inputs["pairs"][..., 0] >= 0


def value(batch: Batch, outcome: Outcome, options: Any, count: Tensor | None) -> Tensor:
    """Return the consistency loss of a batch.

    Its `pairs` (P, L, 2) are indices into the answers' logits, and -1 where an answer has ended.
    """
    assert outcome.answer_logits is not None
    # -1 is no index: the value at those positions is arbitrary, and the mask leaves it out
    pairs = batch.inputs["pairs"].clamp(min=0)
    first, second = (outcome.answer_logits[pairs[..., side]] for side in (0, 1))
    return consistency(
        first, second, answer_positions(batch), temperature=options.temperature, count=count
    )


LOSS = Loss(
    name="consistency",
    flag="consistency_weight",
    range=WEIGHT,
    help=(
        "Weight of the divergence between what two rationales of a question make of its answer "
        "(MCC-KD; the paper uses 0.1). A batch then holds pairs of rationales."
    ),
    sentence="divergence between what two rationales of a question make of its answer",
    term=Term(lambda batch: answer_positions(batch).sum(), value),
    need=Need(
        "pairs", "two rationales of one question: `datagen rationales --samples 8 --keep all`"
    ),
    rows=RowPlan(learned=2),
    tokens=frozenset({"answer"}),
    compares_logits=True,
    options=(TEMPERATURE,),
)
