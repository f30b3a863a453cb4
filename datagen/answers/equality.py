"""Decide whether two answers are the same answer."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from datagen.answers import numbers
from datagen.answers.extract import check_type, normalise


def equal(a: str, b: str, answer_type: str, *, tolerance: float = 0) -> bool:
    """Return whether two answers agree.

    Args:
        a: An answer.
        b: Another answer.
        answer_type: "number", "choice", "yesno" or "text".
        tolerance: Two numbers are equal if they differ by at most this. 0 means exactly equal.

    Returns:
        True for numbers of equal value, and for other answers with the same normal form.

    Raises:
        ValueError: The answer type is unknown.

    Example:
        >>> equal("0.5", "1/2", "number"), equal("(B)", "b", "choice")
        (True, True)
    """
    check_type(answer_type)
    if answer_type != "number":
        return normalise(a, answer_type) == normalise(b, answer_type)
    return a == b or equal_numbers(a, b, tolerance)


# The chains of a question give few different answers, and each pair is compared many times.
@lru_cache(maxsize=1024)
def equal_numbers(a: str, b: str, tolerance: float) -> bool:
    """Return whether two texts are numbers that differ by at most `tolerance`."""
    left = numbers.parse(a)
    right = numbers.parse(b)
    if left is None or right is None:
        return False
    return abs(left - right) <= Fraction(tolerance)
