"""The tokens with which several sequences begin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile


def shared_prefix(sequences: Sequence[list[int]]) -> list[int]:
    """Return the longest run of tokens with which all sequences begin.

    It is empty for fewer than two sequences, because nothing would be saved.
    """
    if len(sequences) < 2:
        return []
    # what the first and the last in dictionary order share, all share
    first = min(sequences)
    last = max(sequences)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return [token for token, _ in alike]
