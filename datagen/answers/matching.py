"""Compare a prediction with a target whose answer type is not stated."""

from __future__ import annotations

from datagen.answers.equality import equal
from datagen.answers.numbers import parse


def matches(prediction: str | None, target: str) -> bool:
    """Return whether a prediction is the target.

    Numbers are compared by value. "B" equals "(B)". Other texts are compared without case and
    final stop.

    Example:
        >>> matches("0.50", "1/2"), matches("B", "(B)"), matches("Paris.", "paris")
        (True, True, True)
    """
    if prediction is None:
        return False
    if parse(target) is not None:
        return equal(prediction, target, "number")

    # BBH writes the targets of its multiple-choice tasks as "(B)".
    is_letter = len(target) == 3 and target[0] + target[2] == "()"
    return equal(prediction, target, "choice" if is_letter else "text")
