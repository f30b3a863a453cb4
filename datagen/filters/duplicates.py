"""Duplicates in a list of texts: the same text, or nearly the same meaning.

Every text is compared only with texts that were kept before it. So each removed text names one that
stays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1024
"""Texts whose cosines are computed at once. It bounds memory to 1,024 rows of the matrix."""


@dataclass(frozen=True)
class Duplicate:
    """A text to leave out, and the text that stays for it."""

    index: int
    """Place of the text to leave out."""
    kept: int
    """Place of the text that stays."""
    similarity: float
    """From 0 to 1, by the measure of the search."""


def exact_duplicates(texts: Sequence[str]) -> list[Duplicate]:
    """Return the texts that repeat an earlier one.

    Case, spaces, width of characters and a final mark make no difference.

    Args:
        texts: what is compared, in order.

    Returns:
        The texts to leave out, in order, each with similarity 1.

    Example:
        >>> import datagen
        >>> datagen.exact_duplicates(["Name a fruit.", "name a  fruit"])
        [Duplicate(index=1, kept=0, similarity=1.0)]
    """
    first: dict[str, int] = {}
    found: list[Duplicate] = []
    for index, text in enumerate(texts):
        kept = first.setdefault(normalised(text), index)
        if kept != index:
            found.append(Duplicate(index, kept, 1.0))
    return found


def normalised(text: str) -> str:
    """Return a text as exact comparison sees it.

    Other signs stay, because they carry meaning: C is not C++, and 3 + 4 is not 3 - 4.
    """
    # NFKC makes full-width letters narrow
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return words.rstrip(" .!?。") or words


def embedding_duplicates(
    texts: Sequence[str], threshold: float = 0.95, *, encoder: str = "characters"
) -> list[Duplicate]:
    """Return the texts whose embedding is close to that of a text that was kept before.

    Args:
        texts: what is compared, in order.
        threshold: least cosine of two embeddings.
        encoder: see `datagen.filters.encoders.encode`.

    Raises:
        UserError: the encoder is unknown or cannot be loaded.
    """
    import numpy as np

    from datagen.filters.encoders import encode

    vectors = encode(texts, encoder)
    kept = np.zeros(0, dtype=np.int64)
    found: list[Duplicate] = []
    for start in range(0, len(texts), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(texts)))
        against = np.concatenate([kept, block])
        removed = greedy(vectors[block] @ vectors[against].T, block, against, threshold)

        found += removed
        left = np.setdiff1d(block, [duplicate.index for duplicate in removed])
        kept = np.concatenate([kept, left])
    return found


def greedy(
    cosines: np.ndarray, block: np.ndarray, against: np.ndarray, threshold: float
) -> list[Duplicate]:
    """Return the duplicates of a block of texts, in order.

    Args:
        cosines: of shape (block, against).
        block: places of the texts of the block.
        against: places of the texts that were kept before, followed by `block` itself.
        threshold: least cosine of a duplicate.
    """
    import numpy as np

    found: list[Duplicate] = []
    before = len(against) - len(block)
    cosines = np.where(cosines >= threshold, cosines, -1.0)
    for row in np.flatnonzero((cosines > -1).any(axis=1)):
        scores = cosines[row, : before + row]
        if len(scores) and scores.max() > -1:
            best = scores.argmax()
            # rounding can give a cosine a little above 1
            similarity = min(1.0, float(scores[best]))
            found.append(Duplicate(int(block[row]), int(against[best]), similarity))
            # a text that is removed removes no other
            cosines[:, before + row] = -1
    return found
