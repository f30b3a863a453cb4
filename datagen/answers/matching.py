"""Whether a prediction is the target, where the type of the answer is not stated."""

from __future__ import annotations

from datagen.answers.equality import equal
from datagen.answers.numbers import parse


def matches(prediction: str | None, target: str) -> bool:
    """Whether a prediction is the target: numbers by value, "B" as "(B)", other texts but for case
    and final stop.
    """
    if prediction is None:
        return False
    if parse(target) is not None:
        return equal(prediction, target, "number")
    lettered = len(target) == 3 and target[0] + target[2] == "()"
    return equal(prediction, target, "choice" if lettered else "text")
