"""Self-consistency voting (arXiv 2203.11171) and when to stop sampling (Adaptive-Consistency, arXiv
2305.11860).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter


@dataclass(frozen=True)
class Vote:
    """What the chains of one question agree on.

    Example:
        >>> Vote(answer="7", counts=(("7", 2.0),), agreement=0.5, tied=False).agreement
        0.5
    """

    answer: str | None
    """The winner; of several, the first to appear. None when no chain had an answer."""
    counts: tuple[tuple[str, float], ...]
    """(answer, votes or weight), most first, equal ones in order of appearance."""
    agreement: float
    """The winner's share of all chains asked (or of their weight), those without an answer
    included; 0 to 1."""
    tied: bool
    """Whether another answer has exactly as much."""


def vote(answers: Sequence[str | None], *, weights: Sequence[float] | None = None) -> Vote:
    """The majority among canonical answers.

    Args:
        answers: one for each chain; None for a chain without an answer.
        weights: one for each chain, at least 0, such as its probability. Default: every chain
            counts once. Whether probabilities are normalised by length is the caller's choice.

    Returns:
        The winner, all counts, and the winner's share of all chains.

    Raises:
        ValueError: there are more weights than answers, or fewer.

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
    counts = tuple(
        sorted(sums.items(), key=itemgetter(1), reverse=True)
    )  # equal ones keep the order of appearance
    winner, most = counts[0]
    tied = len(counts) > 1 and counts[1][1] == most
    return Vote(winner, counts, most / total if total else 0.0, tied)


def tally(answers: Sequence[str | None]) -> dict[str, float]:
    """The number of each answer."""
    sums: dict[str, float] = {}
    for answer in answers:
        if answer is not None:
            sums[answer] = sums.get(answer, 0.0) + 1.0
    return sums


def weigh(answers: Sequence[str | None], weights: Sequence[float]) -> dict[str, float]:
    """The weight of each answer."""
    if len(weights) != len(answers):
        raise ValueError(f"{len(answers)} answers but {len(weights)} weights")
    ballots: dict[str, list[float]] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            ballots.setdefault(answer, []).append(weight)
    return {answer: math.fsum(ballot) for answer, ballot in ballots.items()}


def settled(counts: Sequence[int], *, threshold: float = 0.95) -> bool:
    """Whether the leading answer of a vote is the more probable one with posterior probability of
    at least `threshold`.

    `counts`: votes per answer, in any order, chains without an answer left out.
    Adaptive-Consistency's Beta criterion: the two leaders' votes v1 >= v2 under a uniform prior
    give p1 ~ Beta(v1 + 1, v2 + 1), and P(p1 > 1/2) = 1 - I_{1/2}(v1 + 1, v2 + 1).
    """
    first, second = [*sorted(counts, reverse=True), 0, 0][:2]
    return lead_probability(first, second) >= threshold


def lead_probability(first: int, second: int) -> float:
    """1 - I_{1/2}(first + 1, second + 1): the chance of at most `first` heads in `first + second +
    1` fair tosses.
    """
    tosses = first + second + 1
    return sum(math.comb(tosses, heads) for heads in range(first + 1)) / 2**tosses
