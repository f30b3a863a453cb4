"""A pool made ready for selection: what may be shown with a query, and the indexes that strategies
search.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datagen.demonstrations.pools import Example, Pool, same_input
from datagen.demonstrations.selection.diversity import nearest_others, vote_k
from datagen.demonstrations.selection.encode import encoder
from datagen.demonstrations.selection.neighbours import Neighbours, best, ranking


@dataclass(frozen=True, kw_only=True)
class SelectionSettings:
    """How demonstrations are chosen, whatever the strategy."""

    balance: bool = False
    """No output more often than k / number of outputs, rounded up, while others are left."""
    exclude_duplicates: bool = True
    """Leave out candidates with the query's input, and second copies of a candidate."""
    encoder: str = ""
    """Sentence encoder, for sentence-transformers; "" is the one that needs no download."""
    considered: int = 32
    """Nearest candidates among which a teacher's scores decide, and of which scores are kept (at
    least k)."""
    relevant: int = 100
    """Nearest candidates among which `dpp` looks for diversity (CEIL, arXiv 2302.05698)."""
    representatives: int = 18
    """Candidates that `votek` keeps of a pool (at least k), of which the nearest are shown (arXiv
    2209.01975)."""
    degree: int = 150
    """Neighbours of a candidate in the graph of `votek`; in small pools a tenth of the
    candidates."""
    voters: int = 10_000
    """Candidates drawn for that graph where the pool is larger."""
    subsets: int = 10
    """Sets of k that `mdl` compares (arXiv 2212.10375)."""
    beam: int = 8
    """Best remaining candidates that `teacher` tries in every place but the first."""
    seed: int = 0


class Indexed:
    """One pool under its settings. An index is built when a strategy first asks for it."""

    def __init__(self, pool: Pool, settings: SelectionSettings):
        self.pool, self.settings = pool, settings
        self.outputs = [e.output for e in pool.candidates]
        self.labels = set(self.outputs)
        self._inputs = hashes(same_input(e.input) for e in pool.candidates)

    def examples(self, places: Iterable[int]) -> list[Example]:
        return [self.pool.candidates[place] for place in places]

    @cached_property
    def _copies(self) -> NDArray[np.bool_]:
        """Whether the same input and output stand earlier in the pool."""
        pairs = hashes(f"{same_input(e.input)}\n{e.output.strip()}" for e in self.pool.candidates)
        copies = np.ones(len(pairs), dtype=bool)
        copies[np.unique(pairs, return_index=True)[1]] = False
        return copies

    def usable(self, query: Example) -> NDArray[np.bool_]:
        """Which candidates may be shown with a query, [candidates]."""
        if not self.settings.exclude_duplicates:
            return np.ones(len(self._inputs), dtype=bool)
        return ~self._copies & (self._inputs != hashes([same_input(query.input)])[0])

    def has_room(self, place: int, chosen: Sequence[int], k: int) -> bool:
        """Whether label balance lets a candidate's output be shown once more."""
        if not self.settings.balance:
            return True
        shown = sum(self.outputs[other] == self.outputs[place] for other in chosen)
        return shown < -(-k // len(self.labels))

    def admissible(self, chosen: Sequence[int], candidates: Iterable[int], k: int) -> list[int]:
        """The candidates that may follow the chosen ones, in their order; all where none has
        room.
        """
        rest = [place for place in candidates if place not in chosen]
        return [place for place in rest if self.has_room(place, chosen, k)] or rest

    @cached_property
    def neighbours(self) -> Neighbours:
        texts = [e.input for e in self.pool.candidates]
        return Neighbours(encoder(self.settings.encoder, texts), texts)

    def nearest(self, query: Example) -> Iterator[tuple[int, float]]:
        """Usable candidates and their cosines, nearest first."""
        usable = self.usable(query)
        ranked = ranking(lambda n: self.neighbours.nearest(query.input, n), len(usable))
        return ((place, score) for place, score in ranked if usable[place])

    @cached_property
    def _bm25(self) -> Any:
        import bm25s

        index = bm25s.BM25()  # Lucene's variant, k1 = 1.5, b = 0.75
        index.index([words(e.input) for e in self.pool.candidates], show_progress=False)
        return index

    def lexical(self, query: Example) -> Iterator[tuple[int, float]]:
        """Usable candidates and their BM25 scores, highest first."""
        usable, asked = (
            self.usable(query),
            [w for w in words(query.input) if w in self._bm25.vocab_dict],
        )
        scores = self._bm25.get_scores(asked) if asked else np.zeros(len(usable), dtype=np.float32)
        ranked = ranking(lambda n: best(scores, n), len(usable))
        return ((place, score) for place, score in ranked if usable[place])

    @cached_property
    def representatives(self) -> list[int]:
        """The candidates that vote-k keeps, in the order it chose them, each but once in the
        pool.
        """
        places = (
            np.flatnonzero(~self._copies)
            if self.settings.exclude_duplicates
            else np.arange(len(self.outputs))
        )
        if len(places) > self.settings.voters:
            drawn = Random(f"{self.settings.seed}:votek:{self.pool.task}").sample(
                range(len(places)), self.settings.voters
            )
            places = places[sorted(drawn)]
        degree = max(1, min(self.settings.degree, len(places) // 10))
        graph = nearest_others(self.neighbours.of(places.tolist()), degree)
        return [int(places[node]) for node in vote_k(graph, len(places))]


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """64 bits a text: two texts of a million are taken for the same once in 36 million pools."""
    return np.array(
        [
            int.from_bytes(
                hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
            )
            for t in texts
        ],
        dtype=np.uint64,
    )


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.casefold())
