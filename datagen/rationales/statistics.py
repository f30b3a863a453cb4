"""What a rationales run measures: how often the teacher agrees with itself, and its accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from datagen.answers import vote
from datagen.schema import Row

BINS = 10
"""Of the histogram of agreement."""


class Accuracy(NamedTuple):
    """Whether a question was answered correctly, in three ways."""

    single: bool
    """By the first chain. With adaptive sampling the share of correct chains would be wrong: hard
    questions have more chains."""
    majority: bool
    """By the most frequent answer."""
    solved: bool
    """By any chain."""


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """Return what a run adds to `stats.json`.

    Hinted chains and answers-only rows do not count.

    Args:
        items: the rows of each question, accepted and rejected.

    Returns:
        `samples`: mean number of chains of a question. `agreement`: its mean over questions, and
        a histogram of ten bins (an agreement of 1 falls into the last). `accuracy`: over the
        questions with a gold answer, see `Accuracy`.
    """
    samples = 0
    agreements: list[float] = []
    known: list[Accuracy] = []
    for rows in items:
        # rows come accepted and rejected; `single` needs the order of sampling
        chains = sorted((r for r in rows if r.get("hinted") is False), key=lambda row: row["chain"])
        if not chains:
            continue
        samples += len(chains)
        agreements.append(chains[0]["agreement"])
        if chains[0]["gold"] is not None:
            known.append(accuracy(chains))

    histogram = [0] * BINS
    for agreement in agreements:
        histogram[min(int(agreement * BINS), BINS - 1)] += 1
    return {
        "samples": mean(samples, len(agreements)),
        "agreement": {"mean": mean(sum(agreements), len(agreements)), "histogram": histogram},
        "accuracy": {
            "questions": len(known),
            "single": mean(sum(each.single for each in known), len(known)),
            "majority": mean(sum(each.majority for each in known), len(known)),
            "solved": mean(sum(each.solved for each in known), len(known)),
        },
    }


def accuracy(chains: list[Row]) -> Accuracy:
    """Return how the chains of one question answer it. They are in the order of sampling."""
    correct = {row["answer"] for row in chains if row["correct"]}
    majority = vote([row["answer"] for row in chains]).answer
    return Accuracy(bool(chains[0]["correct"]), majority in correct, bool(correct))


def mean(total: float, number: int) -> float | None:
    """Return the mean to four digits, or None for no items."""
    return round(total / number, 4) if number else None
