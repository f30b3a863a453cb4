"""Version numbers: MAJOR.MINOR.PATCH."""

from __future__ import annotations

import re
from typing import TypeAlias

Number: TypeAlias = tuple[int, int, int]

FIRST: Number = (1, 0, 0)
"""The number of the first version of a name."""

# at most nine digits, so that a number fits 32 bits for every reader
PATTERN = re.compile(r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")


def parse(text: str) -> Number | None:
    """Return the number that a text states, or None if it states none.

    Example:
        >>> parse("v1.2.0")
        (1, 2, 0)
        >>> parse("1.2")
    """
    found = PATTERN.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def show(number: Number) -> str:
    """Return a number as text.

    Example:
        >>> show((1, 2, 0))
        '1.2.0'
    """
    return ".".join(map(str, number))
