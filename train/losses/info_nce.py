"""InfoNCE: the loss that contrasts right with wrong rationales (`--contrast_weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from train.data.grouping import Need, RowPlan
from train.data.roles import LEARNED, WRONG
from train.data.siblings import wrong_rationales
from train.losses.likelihood import masked_mean, mean_log_likelihood
from train.losses.record import NEGATIVES, TEMPERATURE, WEIGHT, Batch, Loss, Outcome, Term

if TYPE_CHECKING:
    from torch import Tensor


def contrast(
    scores: Tensor,
    *,
    correct: Tensor,
    mask: Tensor,
    temperature: float = 1.0,
    count: Tensor | None = None,
) -> Tensor:
    """Return InfoNCE of right against wrong rationales, a mean over the questions that have both.

    For one question, with P its right rationales and N its wrong ones, the value is

        -1/|P| * sum_{i in P} log[ e^(s_i/T) / (e^(s_i/T) + sum_{j in N} e^(s_j/T)) ]

    Right rationales do not compete with each other.

    Args:
        scores: length-normalised log-likelihoods (`mean_log_likelihood`), (Q, C).
        correct: which rationales are right, (Q, C).
        mask: false where a question has fewer than C rationales, (Q, C).
        temperature: T.
        count: the number of questions of the whole step. Default: those of these scores.

    Source:
        The form of van den Oord et al. 2018, arXiv 1807.03748.
    """
    import torch

    right = correct & mask
    wrong = ~correct & mask
    scaled = scores / temperature

    # the lowest finite number, not -inf: a question without wrong ones would get a gradient of nan
    lowest = torch.finfo(scores.dtype).min
    negatives = scaled.masked_fill(~wrong, lowest).logsumexp(-1, keepdim=True)
    losses = torch.logaddexp(scaled, negatives) - scaled

    of_question = losses.masked_fill(~right, 0).sum(-1) / right.sum(-1).clamp(min=1)
    return masked_mean(of_question, right.any(-1) & wrong.any(-1), count)


def value(batch: Batch, outcome: Outcome, options: Any, count: Tensor | None) -> Tensor:
    """Return the contrast loss of a batch."""
    scores = batch.by_group(mean_log_likelihood(outcome.log_probs, batch.completion))
    right, wrong = (batch.role_by_group(role) for role in (LEARNED, WRONG))
    return contrast(
        scores,
        correct=right,
        mask=right | wrong,
        temperature=options.temperature,
        count=count,
    )


LOSS = Loss(
    name="contrast",
    flag="contrast_weight",
    range=WEIGHT,
    help=(
        "Weight of the contrast between a right rationale and wrong ones of the same question "
        "(InfoNCE)."
    ),
    sentence="contrast between a right rationale and wrong ones",
    term=Term(lambda batch: batch.contrasted.sum(), value),
    need=Need(
        "wrong",
        "wrong rationales of questions that have right ones: `datagen rationales --samples 8`",
    ),
    rows=RowPlan(attach=wrong_rationales),
    options=(TEMPERATURE, NEGATIVES),
)
