"""Near duplicates in a list of texts: texts with nearly the same words.

The result is exact: it equals that of comparing every text with all texts that were kept before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from datagen.filters.duplicates import BLOCK, Duplicate
from datagen.filters.tokens import tokens

if TYPE_CHECKING:
    import numpy as np

SHINGLE = 3
"""Words of a shingle (a sequence that is compared). Two words are shared by chance in short
prompts; four miss prompts in which every few words differ."""
CODES = 1_000_000
"""Different codes of shingles, a little less than there are characters. Shingles beyond them share
codes, which costs some comparisons and changes no result."""
ROUNDING = Fraction(1, 500_000)
"""Subtracted from the threshold of the candidates, so that no rounding loses one."""


def near_duplicates(texts: Sequence[str], threshold: float = 0.8) -> list[Duplicate]:
    """Return the texts whose words are nearly those of a text that was kept before.

    Two texts are compared by their sets of 3-word sequences (shingles).

    Args:
        texts: what is compared, in order.
        threshold: least Jaccard similarity of two sets, from 0 to 1.

    Returns:
        The texts to leave out, in order: exactly those that reach the threshold with a kept text.

    Source:
        Prefix filter: see `datagen.filters.prefix`.

    Example:
        >>> import datagen
        >>> story = "write a short story about a lighthouse keeper at sea"
        >>> [found.index for found in datagen.near_duplicates([story, story + " now"])]
        [1]
    """
    return list(chain.from_iterable(near_duplicates_by_block(texts, threshold)))


def near_duplicates_by_block(texts: Sequence[str], threshold: float) -> Iterator[list[Duplicate]]:
    """Yield the near duplicates of each BLOCK of texts."""
    from datagen.filters.prefix import PrefixIndex

    sets = [shingles(text) for text in texts]
    codes = coded(sets)
    index = PrefixIndex(least_dice(threshold))
    kept: list[int] = []
    for start in range(0, len(texts), BLOCK):
        block = range(start, min(start + BLOCK, len(texts)))
        places = [*kept, *block]
        pairs = index.candidates([codes[place] for place in block], within=True)
        found = first_come(by_text(pairs, start, places), sets, threshold)
        yield found

        removed = {duplicate.index for duplicate in found}
        left = [place for place in block if place not in removed]
        index.add([codes[place] for place in left])
        kept += left


def least_dice(threshold: float) -> Fraction:
    """Return a value that the Dice similarity exceeds where Jaccard reaches the threshold.

    2·shared/(|a|+|b|) is what the prefix filter bounds. It is 2·J/(1+J).
    """
    jaccard_similarity = Fraction(threshold).limit_denominator(1_000_000) - ROUNDING
    dice = 2 * jaccard_similarity / (1 + jaccard_similarity)
    return dice.limit_denominator(1_000_000) - ROUNDING


def by_text(
    pairs: tuple[np.ndarray, np.ndarray], start: int, places: Sequence[int]
) -> dict[int, list[int]]:
    """Return the candidates of each text of a block: the places of earlier texts."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for i, j in zip(*(part.tolist() for part in pairs), strict=True):
        found[start + i].append(places[j])
    return found


def first_come(
    candidates: dict[int, list[int]], sets: Sequence[set[str]], threshold: float
) -> list[Duplicate]:
    """Return the duplicates. A text that is removed removes no other."""
    found: dict[int, Duplicate] = {}
    for place in sorted(candidates):
        left = [other for other in candidates[place] if other not in found]
        scores = {other: jaccard(sets[place], sets[other]) for other in left}
        best = max(scores, key=lambda other: (scores[other], -other), default=None)
        if best is not None and scores[best] >= threshold:
            found[place] = Duplicate(place, best, scores[best])
    return list(found.values())


def coded(sets: Sequence[set[str]]) -> list[str]:
    """Return each set with one character for each shingle. A higher character is a rarer one."""
    counts = Counter(chain.from_iterable(sets))
    half = CODES // 2
    codes = {
        name: chr(rank if rank < half else half + (rank - half) % half)
        for rank, (name, _) in enumerate(counts.most_common())
    }
    return ["".join([codes[name] for name in names]) for names in sets]


def shingles(text: str) -> set[str]:
    """Return every sequence of SHINGLE words. A shorter text is one shingle."""
    words = tokens(text, "unicode")
    starts = range(max(1, len(words) - SHINGLE + 1)) if words else ()
    return {" ".join(words[start : start + SHINGLE]) for start in starts}


def jaccard(a: set[str], b: set[str]) -> float:
    """Return |a ∩ b| / |a ∪ b|."""
    return len(a & b) / len(a | b)
