"""Duplicates in a list of texts: the same, nearly the same words, nearly the same meaning.

Every text is compared with those kept before it, so that each removed text names one that stays.
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
"""Tokens of a shingle. A text with fewer is one shingle."""
PERMUTATIONS = 128
MISSED = (0.1, 0.9)
"""Weights of the false positives and of the missed pairs of the MinHash index; the former are
checked away."""
BLOCK = 1024


@dataclass(frozen=True)
class Duplicate:
    """A text that goes, the one that stays for it (both by index), and how similar they are, 0 to
    1.
    """

    index: int
    kept: int
    similarity: float


def exact_duplicates(texts: Sequence[str]) -> list[Duplicate]:
    """Texts that equal an earlier one but for case, spaces, width of characters and a final mark.

    Example:
        >>> exact_duplicates(["Name a fruit.", "name a  fruit"])
        [Duplicate(index=1, kept=0, similarity=1.0)]
    """
    first: dict[str, int] = {}
    placed = [
        (index, first.setdefault(normalised(text), index)) for index, text in enumerate(texts)
    ]
    return [Duplicate(index, kept, 1.0) for index, kept in placed if kept != index]


def normalised(text: str) -> str:
    """Signs stay: C is not C++, and 3 + 4 is not 3 - 4."""
    words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return words.rstrip(" .!?。") or words


def near_duplicates(
    texts: Sequence[str], threshold: float = 0.8, *, seed: int = 1
) -> list[Duplicate]:
    """Texts whose 3-word sequences are nearly those of a text that was kept before.

    Args:
        texts: what is compared, in order.
        threshold: least Jaccard similarity of two sets of 3-word sequences, 0 to 1.
        seed: of the hash functions.

    Returns:
        The texts to leave out. A pair below the threshold is never among them, because candidates
        are compared exactly. A pair just above it may be missed.

    Source:
        MinHash, Broder 1997; locality-sensitive hashing by datasketch.

    Example:
        >>> story = "write a short story about a lighthouse keeper at sea"
        >>> [found.index for found in near_duplicates([story, story + " now"])]
        [1]
    """
    from datasketch import MinHash, MinHashLSH

    sets = [shingles(text) for text in texts]
    hashed = ([shingle.encode("utf-8", "surrogatepass") for shingle in sorted(s)] for s in sets)
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, weights=MISSED)
    found = []
    for place, sketch in enumerate(MinHash.generator(hashed, num_perm=PERMUTATIONS, seed=seed)):
        scores = (
            [(jaccard(sets[place], sets[kept]), -kept) for kept in index.query(sketch)]
            if sets[place]
            else []
        )
        similarity, kept = max(scores, default=(0.0, 0))
        if scores and similarity >= threshold:
            found.append(Duplicate(place, -kept, similarity))
        elif sets[place]:
            index.insert(place, sketch, check_duplication=False)
    return found


def shingles(text: str) -> set[str]:
    """Every run of SHINGLE tokens; of a shorter text all its tokens; of one without tokens none."""
    words = tokens(text, "unicode")
    starts = range(max(1, len(words) - SHINGLE + 1)) if words else ()
    return {" ".join(words[start : start + SHINGLE]) for start in starts}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def embedding_duplicates(
    texts: Sequence[str], threshold: float = 0.95, *, encoder: str = "characters"
) -> list[Duplicate]:
    """Texts whose embedding has a cosine of `threshold` or more with one kept before.

    `encoder`: see `datagen.filters.encoders.encode`. Raises UserError for one that is not there.
    """
    import numpy as np

    from datagen.filters.encoders import encode

    vectors = encode(texts, encoder)
    kept, found = np.zeros(0, dtype=np.int64), list[Duplicate]()
    for start in range(0, len(texts), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(texts)))
        against = np.concatenate([kept, block])
        removed = greedy(vectors[block] @ vectors[against].T, block, against, threshold)
        found += removed
        kept = np.concatenate(
            [kept, np.setdiff1d(block, [duplicate.index for duplicate in removed])]
        )
    return found


def greedy(
    cosines: np.ndarray, block: np.ndarray, against: np.ndarray, threshold: float
) -> list[Duplicate]:
    """Duplicates of a block, in order; `cosines` (block, against) with what was kept before and the
    block itself.
    """
    import numpy as np

    found: list[Duplicate] = []
    before = len(against) - len(block)
    cosines = np.where(cosines >= threshold, cosines, -1.0)
    for row in np.flatnonzero((cosines > -1).any(axis=1)):
        scores = cosines[row, : before + row]
        if len(scores) and scores.max() > -1:
            best = scores.argmax()
            found.append(
                Duplicate(int(block[row]), int(against[best]), min(1.0, float(scores[best])))
            )
            cosines[:, before + row] = -1  # what is removed removes nothing
    return found
