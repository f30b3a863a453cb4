"""When two answers are the same answer."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from datagen.answers import numbers
from datagen.answers.extract import check_type, normalise


def equal(a: str, b: str, answer_type: str, *, tolerance: float = 0) -> bool:
    """Whether two answers agree.

    Args:
        a: an answer.
        b: another answer.
        answer_type: "number", "choice", "yesno" or "text".
        tolerance: greatest absolute difference of two equal numbers. 0 is exact.

    Returns:
        True for equal numbers, and for other answers that `extract` would normalise to the same
        text.

    Raises:
        ValueError: the type is unknown.

    Example:
        >>> equal("0.5", "1/2", "number"), equal("(B)", "b", "choice")
        (True, True)
    """
    check_type(answer_type)
    if answer_type != "number":
        return normalise(a, answer_type) == normalise(b, answer_type)
    return a == b or equal_numbers(a, b, tolerance)


@lru_cache(maxsize=1024)  # the answers of a question's chains are few
def equal_numbers(a: str, b: str, tolerance: float) -> bool:
    left, right = numbers.parse(a), numbers.parse(b)
    if left is None or right is None:
        return False
    return left == right if not tolerance else abs(left - right) <= Fraction(tolerance)
