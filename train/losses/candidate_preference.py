"""The loss that makes the student prefer the teacher's demonstrations (`--preference_weight`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from train.data.candidates import LEAST_CANDIDATES, scored_candidates
from train.data.grouping import Need, RowPlan
from train.data.roles import CANDIDATE
from train.losses.divergences import forward_kl
from train.losses.likelihood import masked_mean, mean_log_likelihood
from train.losses.record import TEMPERATURE, WEIGHT, Batch, Loss, Option, Outcome, Term, at_least

if TYPE_CHECKING:
    from torch import Tensor


CANDIDATES = Option(
    "candidates",
    8,
    "At most this many candidate demonstrations of a query are compared.",
    at_least(LEAST_CANDIDATES),
)


def preference(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    *,
    temperature: float = 1.0,
    count: Tensor | None = None,
) -> Tensor:
    """Return KL(softmax(z_T/T) || softmax(z_S/T)) over a query's candidates, a mean over queries.

    z are the scores of a query, standardised: minus their mean, divided by their standard
    deviation. Queries with fewer
    than three candidates do not count: standardised scores of two are always +1 and -1.

    Args:
        student: the student's log-likelihood per token of the gold answer, with each candidate
            before the query, (Q, C).
        teacher: the stored scores of the teacher, (Q, C).
        mask: false where a query has fewer than C candidates, (Q, C).
        temperature: T.
        count: the number of queries of the whole step. Default: those of these scores.

    Source:
        Our own proposal. The nearest published form trains a retriever: LLM-R, Wang et al. 2023,
        arXiv 2307.07164.
    """
    teacher, student = (listwise(scores, mask, temperature) for scores in (teacher, student))
    return masked_mean(forward_kl(teacher, student), mask.sum(-1) >= LEAST_CANDIDATES, count)


def listwise(scores: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Return the log-softmax of the standardised scores over the mask, and -1000 elsewhere."""
    count = mask.sum(-1, keepdim=True).clamp(min=1)
    mean = scores.masked_fill(~mask, 0).sum(-1, keepdim=True) / count
    centred = (scores - mean).masked_fill(~mask, 0)

    # equal scores have a deviation of 0: 1e-12 keeps the division and its gradient finite
    deviation = (centred.square().sum(-1, keepdim=True) / count + 1e-12).sqrt()
    return (centred / deviation / temperature).masked_fill(~mask, -1e3).log_softmax(-1)


def comparable_queries(batch: Batch) -> Tensor:
    """Return how many queries of a batch have enough candidates to compare."""
    return (batch.role_by_group(CANDIDATE).sum(-1) >= LEAST_CANDIDATES).sum()


def value(batch: Batch, outcome: Outcome, options: Any, count: Tensor | None) -> Tensor:
    """Return the preference loss of a batch."""
    student = batch.by_group(mean_log_likelihood(outcome.log_probs, batch.completion))
    teacher = batch.by_group(batch.inputs["score"].to(student.dtype))
    mask = batch.role_by_group(CANDIDATE)
    return preference(student, teacher, mask, temperature=options.temperature, count=count)


LOSS = Loss(
    name="preference",
    flag="preference_weight",
    range=WEIGHT,
    help=(
        "Weight of the divergence between the teacher's and the student's preference among "
        "candidate demonstrations."
    ),
    sentence="divergence between teacher's and student's preference among demonstrations",
    term=Term(comparable_queries, value),
    need=Need(
        "candidates",
        "candidates with scores, which `datagen demonstrations --strategy teacher` writes",
    ),
    rows=RowPlan(attach=scored_candidates),
    options=(TEMPERATURE, CANDIDATES),
)
