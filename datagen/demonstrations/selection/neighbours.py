"""Nearest neighbours by cosine: exact, or approximate for large pools if faiss is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.demonstrations.selection.encode import Encode, Vectors, in_blocks

EXACT = 200_000
"""Up to so many texts the search is exact: their vectors take 400 MB, and a query a few hundredths
of a second."""
BLOCK = 16_384
"""Texts that are compared, or encoded, at a time. It bounds the memory."""
PROBES = 256
"""Cells that an approximate search looks into. More cells find more of the true neighbours, and
take more time."""
BYTES_8 = "SQ8"
"""One byte for each dimension, in faiss's words: a quarter of the memory."""

Scored = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Places and their scores, highest first; of equal scores the lower place first."""


class Neighbours:
    """The texts of a pool, ready to be searched.

    A million texts take 2 GB for exact search (512 dimensions, float32). They take half a gigabyte
    for approximate search (faiss: inverted lists, one byte for each dimension).

    Args:
        encode: from texts to vectors.
        texts: of the pool.
    """

    def __init__(self, encode: Encode, texts: Sequence[str]):
        self.encode = encode
        self.texts = texts
        self.vectors: Vectors | None = None
        self.approximate = approximate(encode, texts) if len(texts) > EXACT else None
        if self.approximate is None:
            blocks = [vectors for _, vectors in in_blocks(encode, texts, BLOCK)]
            self.vectors = np.concatenate(blocks)

    def nearest(self, text: str, n: int) -> Scored:
        """Return the n nearest places and their cosines. An approximate search may find fewer."""
        query = self.encode([text])
        if self.vectors is None:
            assert self.approximate is not None
            scores, places = self.approximate.search(query, n)
            # faiss fills missing neighbours with -1
            there = places[0] >= 0
            return places[0][there], scores[0][there]
        # each block gives its n best, so the n best of all are among them
        blocks = [
            best(self.vectors[first : first + BLOCK] @ query[0], n, first)
            for first in range(0, len(self.vectors), BLOCK)
        ]
        places, scores = (np.concatenate(part) for part in zip(*blocks, strict=True))
        order = np.lexsort((places, -scores))[:n]
        return places[order], scores[order]

    def of(self, places: Sequence[int]) -> Vectors:
        """Return the vectors of some places, of shape (places, dimensions)."""
        if self.vectors is None:
            return self.encode([self.texts[place] for place in places])
        return self.vectors[list(places)]


def approximate(encode: Encode, texts: Sequence[str]) -> Any:
    """Return a faiss index of the texts, or None without faiss."""
    try:
        import faiss
    except ImportError:
        return None
    # as many cells as a cell has texts; 64 texts a cell are enough to place the cells
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
    """Return the n highest scores of a block whose places begin at `first`."""
    places = np.arange(len(scores))
    # only what can be among the n highest is sorted
    if n < len(scores):
        least = np.partition(scores, -n)[-n]
        places = np.flatnonzero(scores >= least)
    places = places[np.lexsort((places, -scores[places]))][:n]
    return places + first, scores[places]


def ranking(search: Callable[[int], Scored], total: int) -> Iterator[tuple[int, float]]:
    """Yield (place, score) from best to worst, and search only as far as is read.

    Args:
        search: from n to the n best places and their scores.
        total: how many places there are.
    """
    # most readers need a few; whoever reads on gets eight times as many with each search
    n = min(256, total)
    seen: set[int] = set()
    while True:
        for place, score in zip(*(part.tolist() for part in search(n)), strict=True):
            if place not in seen:
                seen.add(place)
                yield place, score
        if n == total:
            return
        n = min(8 * n, total)
