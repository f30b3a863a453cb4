"""Version numbers: MAJOR.MINOR.PATCH."""

from __future__ import annotations

import re
from typing import TypeAlias

Number: TypeAlias = tuple[int, int, int]


FIRST: Number = (1, 0, 0)


PATTERN = re.compile(r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")


def parse(text: str) -> Number | None:
    """(1, 2, 0) for "1.2.0" or "v1.2.0"; None for anything else."""
    found = PATTERN.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def show(number: Number) -> str:
    return ".".join(map(str, number))
