"""Vote on the answers of several chains, and decide when enough chains were sampled.

Sources: Self-consistency, arXiv 2203.11171; Adaptive-Consistency, arXiv 2305.11860.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter


@dataclass(frozen=True)
class Vote:
    """The result of a vote among the chains of one question.

    Example:
        >>> Vote(answer="7", counts=(("7", 2.0),), agreement=0.5, tied=False).agreement
        0.5
    """

    answer: str | None
    """The winner. In a tie, the answer that appeared first. None if no chain had an answer."""
    counts: tuple[tuple[str, float], ...]
    """(answer, number of votes or sum of weights), the largest first. Equal ones stand in order of
    appearance."""
    agreement: float
    """The winner's share of all chains, between 0 and 1. Chains without an answer count in the
    denominator."""
    tied: bool
    """Whether another answer has exactly as many votes as the winner."""


def vote(answers: Sequence[str | None], *, weights: Sequence[float] | None = None) -> Vote:
    """Find the majority among canonical answers.

    Args:
        answers: One answer for each chain; None for a chain without an answer.
        weights: One weight for each chain, at least 0, such as its probability. By default every
            chain counts once. The caller decides whether to normalise probabilities by length.

    Returns:
        The winner, all counts, and the winner's share of all chains.

    Raises:
        ValueError: The numbers of answers and weights differ.

    Source:
        Self-consistency, arXiv 2203.11171, section 2.

    Example:
        >>> vote(["7", "7", "8", None]).agreement
        0.5
    """
    sums = tally(answers) if weights is None else weigh(answers, weights)
    total = len(answers) if weights is None else math.fsum(weights)
    if not sums:
        return Vote(None, (), 0.0, False)

    # Sorting is stable: equal answers keep the order in which they appeared.
    counts = tuple(sorted(sums.items(), key=itemgetter(1), reverse=True))
    winner, most = counts[0]
    tied = len(counts) > 1 and counts[1][1] == most
    return Vote(winner, counts, most / total if total else 0.0, tied)


def tally(answers: Sequence[str | None]) -> dict[str, float]:
    """Return how often each answer occurs."""
    sums: dict[str, float] = {}
    for answer in answers:
        if answer is not None:
            sums[answer] = sums.get(answer, 0.0) + 1.0
    return sums


def weigh(answers: Sequence[str | None], weights: Sequence[float]) -> dict[str, float]:
    """Return the sum of the weights of each answer."""
    if len(weights) != len(answers):
        raise ValueError(f"{len(answers)} answers but {len(weights)} weights")

    # `fsum` rounds once. A running sum would depend on the order in which chains arrived.
    ballots: dict[str, list[float]] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            ballots.setdefault(answer, []).append(weight)
    return {answer: math.fsum(ballot) for answer, ballot in ballots.items()}


def settled(counts: Sequence[int], *, threshold: float = 0.95) -> bool:
    """Return whether more samples are unlikely to change the winner of a vote.

    The two leading answers have v1 >= v2 votes. Under a uniform prior the share p1 of the first is
    distributed as Beta(v1 + 1, v2 + 1). Sampling may stop if P(p1 > 1/2) is large enough.

    Args:
        counts: Votes of each answer, in any order. Chains without an answer are left out.
        threshold: The probability P(p1 > 1/2) that is enough. 0.95 is the paper's value.

    Returns:
        Whether P(p1 > 1/2) is at least `threshold`.

    Source:
        Adaptive-Consistency, arXiv 2305.11860, section 3: the Beta stopping criterion.

    Example:
        >>> settled([4, 0]), settled([4, 2])
        (True, False)
    """
    # Two zeros stand for the answers that nobody gave yet.
    first, second = [*sorted(counts, reverse=True), 0, 0][:2]
    return lead_probability(first, second) >= threshold


def lead_probability(first: int, second: int) -> float:
    """Return 1 - I_{1/2}(first + 1, second + 1), where I is the incomplete beta function.

    For whole numbers it equals the probability of at most `first` heads in `first + second + 1`
    tosses of a fair coin, a sum of integers that needs no numerical library.
    """
    tosses = first + second + 1
    return sum(math.comb(tosses, heads) for heads in range(first + 1)) / 2**tosses
