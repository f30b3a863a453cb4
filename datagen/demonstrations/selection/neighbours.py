"""Nearest neighbours by cosine: exact by blocks, or approximate for large pools where faiss is
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.demonstrations.selection.encode import Encode, Vectors, in_blocks

EXACT = 200_000
"""Up to so many texts, and wherever faiss is not installed, the search is exact."""
BLOCK = 16_384
"""Texts that are compared, or encoded, at a time."""
PROBES = 256
"""Cells that an approximate search looks into."""
BYTES_8 = "SQ8"

Scored = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Places and their scores, best first; of equal scores the lower place first."""


class Neighbours:
    """The texts of a pool, to be searched.

    Exact, a million texts take 2 GB (512 dimensions, float32); approximate (faiss: inverted lists,
    one byte a dimension), half a gigabyte.
    """

    def __init__(self, encode: Encode, texts: Sequence[str]):
        self.encode, self.texts = encode, texts
        self.approximate = approximate(encode, texts) if len(texts) > EXACT else None
        self.vectors = (
            None
            if self.approximate
            else np.concatenate([v for _, v in in_blocks(encode, texts, BLOCK)])
        )

    def nearest(self, text: str, n: int) -> Scored:
        """The n nearest places and their cosines. An approximate search may find fewer."""
        query = self.encode([text])
        if self.vectors is None:
            assert self.approximate is not None
            scores, places = self.approximate.search(query, n)
            there = places[0] >= 0
            return places[0][there], scores[0][there]
        blocks = [
            best(self.vectors[first : first + BLOCK] @ query[0], n, first)
            for first in range(0, len(self.vectors), BLOCK)
        ]
        places, scores = (np.concatenate(part) for part in zip(*blocks, strict=True))
        order = np.lexsort((places, -scores))[:n]
        return places[order], scores[order]

    def of(self, places: Sequence[int]) -> Vectors:
        """Vectors of some places, [places, dimensions]."""
        if self.vectors is None:
            return self.encode([self.texts[place] for place in places])
        return self.vectors[list(places)]


def approximate(encode: Encode, texts: Sequence[str]) -> Any:
    """A faiss index filled block by block, or None without faiss."""
    try:
        import faiss
    except ImportError:
        return None
    lists = int(len(texts) ** 0.5)
    sample = encode(texts[:: max(1, len(texts) // (64 * lists))])
    index: Any = faiss.index_factory(
        sample.shape[1], f"IVF{lists},{BYTES_8}", faiss.METRIC_INNER_PRODUCT
    )
    index.train(sample)
    for _, vectors in in_blocks(encode, texts, BLOCK):
        index.add(vectors)
    index.nprobe = PROBES
    return index


def best(scores: NDArray[np.float32], n: int, first: int = 0) -> Scored:
    """The n highest scores of a block whose places begin at `first`."""
    places = np.arange(len(scores))
    if n < len(scores):
        least = np.partition(scores, -n)[-n]
        places = np.flatnonzero(scores >= least)
    places = places[np.lexsort((places, -scores[places]))][:n]
    return places + first, scores[places]


def ranking(search: Callable[[int], Scored], total: int) -> Iterator[tuple[int, float]]:
    """All places from best to worst, searched for as they are wanted."""
    n, seen = min(256, total), set[int]()
    while True:
        for place, score in zip(*(part.tolist() for part in search(n)), strict=True):
            if place not in seen:
                seen.add(place)
                yield place, score
        if n == total:
            return
        n = min(8 * n, total)
