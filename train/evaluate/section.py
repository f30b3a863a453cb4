"""The section of a suite in the report, with the 95% interval of each metric.

The gap closed is (student - base) / (teacher - base) on greedy accuracy. The base is asked in both
modes and counts with the better one. So a student gains nothing just because it is asked in another
mode. This is the conservative choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from train.evaluate.ask import Answered
from train.evaluate.bootstrap import Bootstrap, Floats
from train.evaluate.contenders import Contender
from train.evaluate.estimate import rounded

Answers = Mapping[Contender, Sequence[Answered]]

METRICS: dict[str, Callable[[Answered], float | bool | None]] = {
    "greedy_accuracy": lambda a: a.correct,
    "majority_accuracy": lambda a: a.majority_correct,
    "gold_logprob": lambda a: a.gold_logprob,
    "edit_distance": lambda a: a.edit_distance,
}
"""The value of each metric for one answer, or None if it has none. Log-probabilities are in nats
per token; the edit distance goes from 0 (the same) to 1."""


def section(suite: str, answers: Answers, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return one suite's part of the report.

    Args:
        suite: its name.
        answers: of each contender, in the same order of questions.
        bootstrap: draws the resamples.
    """
    correct = {
        contender: column(found, METRICS["greedy_accuracy"]) for contender, found in answers.items()
    }
    # the better mode of the base counts, so that a mere change of mode closes no gap
    base = best_contender(correct, "base")
    teacher = best_contender(correct, "teacher")
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
                **figures_of(found, bootstrap),
                "gap_closed": gap(contender, correct, base, teacher, bootstrap),
            }
            for contender, found in answers.items()
        ],
        "comparisons": comparisons(correct, bootstrap),
    }


def column(
    answers: Sequence[Answered], metric: Callable[[Answered], float | bool | None]
) -> Floats:
    """Return the values of a metric, [questions that have one]."""
    return np.array(
        [value for value in map(metric, answers) if value is not None], dtype=np.float64
    )


def best_contender(correct: Mapping[Contender, Floats], role: str) -> Contender | None:
    """Return the contender of this role with the highest accuracy; if several, the first."""
    return max(
        (c for c in correct if c.role == role), key=lambda c: correct[c].mean(), default=None
    )


def figures_of(answers: Sequence[Answered], bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the figures of one contender: each metric with its interval, or null.

    They also count the answers that could not be scored, the texts without an answer, and the
    questions that could not be asked.
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
    """Return how many golds have no log-probability and the main reason, or None if all have."""
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
    """Return the gap that a student closed, or None for other roles or an unclear gap."""
    if contender.role != "student" or base is None or teacher is None:
        return None
    closed = bootstrap.gap_closed(
        student_N=correct[contender], base_N=correct[base], teacher_N=correct[teacher]
    )
    return rounded(closed) if closed else None


def comparisons(correct: Mapping[Contender, Floats], bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Return the difference of the greedy accuracies of every two students, paired by question.

    A difference is clear if its interval does not contain 0.
    """
    students = [contender for contender in correct if contender.role == "student"]
    found = []
    for a, b in combinations(students, 2):
        difference = bootstrap.difference(correct[a], correct[b])
        clear = difference.low > 0 or difference.high < 0
        found.append({"a": a.name, "b": b.name, "difference": rounded(difference), "clear": clear})
    return found
