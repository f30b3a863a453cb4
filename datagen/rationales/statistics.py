"""What a rationales run tells about its teacher: agreement, and where the source has answers, accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from datagen.answers import vote
from datagen.schema import Row


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """`items`: the rows of one question each, accepted and rejected. Hinted chains and answers-only rows do not count.

    agreement: mean over questions and ten-bin histogram (1 falls in the last bin). accuracy, over questions with gold:
    `single` of the first chain, `majority` of the vote by count, `solved` by any chain. samples: chains drawn per
    question, on average.
    """
    agreements: list[float] = []
    drawn: list[int] = []
    scores: list[tuple[bool, bool, bool]] = []
    for rows in items:
        chains = sorted((r for r in rows if r.get("hinted") is False), key=lambda row: row["chain"])
        if not chains:
            continue
        agreements.append(chains[0]["agreement"])
        drawn.append(len(chains))
        if chains[0]["gold"] is not None:
            scores.append(accuracy(chains))
    single, majority, solved = zip(*scores, strict=True) if scores else ((), (), ())
    return {
        "samples": mean(drawn),
        "agreement": {"mean": mean(agreements), "histogram": histogram(agreements)},
        "accuracy": {
            "questions": len(scores),
            "single": mean(single),
            "majority": mean(majority),
            "solved": mean(solved),
        },
    }


def accuracy(chains: list[Row]) -> tuple[bool, bool, bool]:
    """Whether the first chain is right, the majority, any. The first alone: where sampling stops once the chains agree,
    the share of right chains says more of the easy questions."""
    right = {row["answer"] for row in chains if row["correct"]}
    return bool(chains[0]["correct"]), vote([row["answer"] for row in chains]).answer in right, bool(right)


def histogram(values: Sequence[float]) -> list[int]:
    bins = [0] * 10
    for value in values:
        bins[min(int(value * 10), 9)] += 1
    return bins


def mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
