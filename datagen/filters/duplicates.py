"""Duplicates in a list of texts: the same text, nearly the same words, nearly the same meaning.

Every text is compared only with texts that were kept before it. So each removed text names one that
stays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datagen.filters.tokens import tokens

if TYPE_CHECKING:
    import numpy as np

SHINGLE = 3
"""Words of a shingle (a sequence that is compared). Two words are shared by chance in short
prompts; four miss prompts in which every few words differ."""
PERMUTATIONS = 128
"""Hash functions of a MinHash sketch. The error of an estimated similarity is about
1 / sqrt(128) = 9%, which is enough to find candidates."""
MISSED = (0.1, 0.9)
"""Weights of false candidates and of missed pairs in the MinHash index. False candidates are
compared exactly and dropped, so missed pairs are the only loss."""
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


def near_duplicates(
    texts: Sequence[str], threshold: float = 0.8, *, seed: int = 1
) -> list[Duplicate]:
    """Return the texts whose words are nearly those of a text that was kept before.

    Two texts are compared by their sets of 3-word sequences (shingles).

    Args:
        texts: what is compared, in order.
        threshold: least Jaccard similarity of two sets, from 0 to 1.
        seed: of the hash functions.

    Returns:
        The texts to leave out. A pair below the threshold is never among them, because candidates
        are compared exactly. A pair just above it may be missed.

    Source:
        MinHash, Broder 1997; locality-sensitive hashing by datasketch.

    Example:
        >>> import datagen
        >>> story = "write a short story about a lighthouse keeper at sea"
        >>> [found.index for found in datagen.near_duplicates([story, story + " now"])]
        [1]
    """
    from datasketch import MinHash, MinHashLSH

    sets = [shingles(text) for text in texts]
    # sorted, so that a sketch does not depend on the order of a set
    encoded = ([shingle.encode("utf-8", "surrogatepass") for shingle in sorted(s)] for s in sets)
    sketches = MinHash.generator(encoded, num_perm=PERMUTATIONS, seed=seed)
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=MISSED)

    found: list[Duplicate] = []
    for place, sketch in enumerate(sketches):
        if not sets[place]:
            continue  # a text without words resembles nothing
        scores = {kept: jaccard(sets[place], sets[kept]) for kept in index.query(sketch)}
        best = max(scores, key=lambda kept: (scores[kept], -kept), default=None)
        if best is not None and scores[best] >= threshold:
            found.append(Duplicate(place, best, scores[best]))
        else:
            index.insert(place, sketch, check_duplication=False)
    return found


def shingles(text: str) -> set[str]:
    """Return every sequence of SHINGLE words. A shorter text is one shingle."""
    words = tokens(text, "unicode")
    starts = range(max(1, len(words) - SHINGLE + 1)) if words else ()
    return {" ".join(words[start : start + SHINGLE]) for start in starts}


def jaccard(a: set[str], b: set[str]) -> float:
    """Return |a ∩ b| / |a ∪ b|."""
    return len(a & b) / len(a | b)


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
