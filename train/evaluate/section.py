"""From answers to the report: one section for each suite, each metric with its 95% interval.

The gap closed is (student - base) / (teacher - base) on greedy accuracy. The base is asked in both
modes and counts with the better one. So a student earns nothing by merely being asked in another
way: this is the conservative reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from train.evaluate.ask import Answered
from train.evaluate.bootstrap import Bootstrap, Floats
from train.evaluate.estimate import rounded
from train.evaluate.settings import Contender

Answers = Mapping[Contender, Sequence[Answered]]

METRICS: dict[str, Callable[[Answered], float | bool | None]] = {
    "greedy_accuracy": lambda a: a.correct,
    "majority_accuracy": lambda a: a.majority_correct,
    "gold_logprob": lambda a: a.gold_logprob,
    "edit_distance": lambda a: a.edit_distance,
}
"""The value of each metric for one answer, or None where it has none. Log-probabilities are in nats
per token; the edit distance goes from 0 (the same) to 1."""


def section(suite: str, answers: Answers, bootstrap: Bootstrap) -> dict[str, Any]:
    """One suite's part of the report.

    Args:
        suite: its name.
        answers: of each contender, in the same order of questions.
        bootstrap: draws the resamples.
    """
    correct = {
        contender: column(found, METRICS["greedy_accuracy"]) for contender, found in answers.items()
    }
    # the better mode of the base counts, so that a change of mode closes no gap
    base = best(correct, "base")
    teacher = best(correct, "teacher")
    return {
        "suite": suite,
        "n": len(next(iter(answers.values()))),
        "base_mode": base.mode if base else None,
        "teacher_minus_base": (
            rounded(bootstrap.difference(correct[teacher], correct[base]))
            if teacher and base
            else None
        ),
        "models": [
            {
                "name": contender.name,
                "role": contender.role,
                "mode": contender.mode,
                **measures(found, bootstrap),
                "gap_closed": gap(contender, correct, base, teacher, bootstrap),
            }
            for contender, found in answers.items()
        ],
        "comparisons": comparisons(correct, bootstrap),
    }


def column(
    answers: Sequence[Answered], metric: Callable[[Answered], float | bool | None]
) -> Floats:
    """The values of a metric, [questions that have one]."""
    return np.array(
        [value for value in map(metric, answers) if value is not None], dtype=np.float64
    )


def best(correct: Mapping[Contender, Floats], role: str) -> Contender | None:
    """The contender of this role with the highest accuracy; of equal ones the first."""
    return max(
        (c for c in correct if c.role == role), key=lambda c: correct[c].mean(), default=None
    )


def measures(answers: Sequence[Answered], bootstrap: Bootstrap) -> dict[str, Any]:
    """Each metric with its interval, or null; why answers could not be scored; how many texts state
    no answer, and how many questions could not be asked.
    """
    values = {name: column(answers, metric) for name, metric in METRICS.items()}
    agreement = float(np.mean([a.agreement for a in answers])) if answers[0].samples else None
    return {
        **{
            name: {**rounded(bootstrap.mean(x_N)), "n": len(x_N)} if len(x_N) else None
            for name, x_N in values.items()
        },
        "agreement": agreement,
        "unscored": unscored(answers),
        "unanswered": sum(a.answer is None for a in answers),
        "failed": sum(a.error is not None for a in answers),
    }


def unscored(answers: Sequence[Answered]) -> dict[str, Any] | None:
    """How many golds have no log-probability, and the most common reason; None where all have."""
    reasons = Counter(a.unscored for a in answers if a.unscored)
    if not reasons:
        return None
    return {"answers": reasons.total(), "reason": reasons.most_common(1)[0][0]}


def gap(
    contender: Contender,
    correct: Mapping[Contender, Floats],
    base: Contender | None,
    teacher: Contender | None,
    bootstrap: Bootstrap,
) -> dict[str, float] | None:
    """The gap that a student closed; None for other roles, or where it is not clear."""
    if contender.role != "student" or base is None or teacher is None:
        return None
    closed = bootstrap.gap_closed(
        student_N=correct[contender], base_N=correct[base], teacher_N=correct[teacher]
    )
    return rounded(closed) if closed else None


def comparisons(correct: Mapping[Contender, Floats], bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Every two students: the difference of their greedy accuracies, paired by question.

    It is clear where its interval leaves 0 out.
    """
    students = [contender for contender in correct if contender.role == "student"]
    found = []
    for a, b in combinations(students, 2):
        difference = bootstrap.difference(correct[a], correct[b])
        clear = difference.low > 0 or difference.high < 0
        found.append({"a": a.name, "b": b.name, "difference": rounded(difference), "clear": clear})
    return found
