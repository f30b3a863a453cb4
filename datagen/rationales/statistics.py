"""What a rationales run tells about its teacher: agreement, and where the source has answers,
accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from datagen.answers import vote
from datagen.schema import Row


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """`items`: the rows of one question each, accepted and rejected.

    Hinted chains and answers-only rows do not count.

    agreement: mean over questions and ten-bin histogram (1 falls in the last bin). accuracy, over
    questions with gold: `single` of the first chain, `majority` of the vote by count, `solved` by
    any chain. samples: chains drawn per question, on average.
    """
    questions = drawn = known = 0
    agreement = 0.0
    bins, solved = [0] * 10, [0, 0, 0]
    for rows in items:
        chains = sorted((r for r in rows if r.get("hinted") is False), key=lambda row: row["chain"])
        if not chains:
            continue
        questions, drawn, agreement = (
            questions + 1,
            drawn + len(chains),
            agreement + chains[0]["agreement"],
        )
        bins[min(int(chains[0]["agreement"] * 10), 9)] += 1
        if chains[0]["gold"] is not None:
            known += 1
            solved = [count + right for count, right in zip(solved, accuracy(chains), strict=True)]
    single, majority, any_chain = (mean(count, known) for count in solved)
    return {
        "samples": mean(drawn, questions),
        "agreement": {"mean": mean(agreement, questions), "histogram": bins},
        "accuracy": {
            "questions": known,
            "single": single,
            "majority": majority,
            "solved": any_chain,
        },
    }


def accuracy(chains: list[Row]) -> tuple[bool, bool, bool]:
    """Whether the first chain is right, the majority, any.

    The first alone: where sampling stops once the chains agree, the share of right chains says more
    of the easy questions.
    """
    right = {row["answer"] for row in chains if row["correct"]}
    return (
        bool(chains[0]["correct"]),
        vote([row["answer"] for row in chains]).answer in right,
        bool(right),
    )


def mean(total: float, number: int) -> float | None:
    return round(total / number, 4) if number else None
