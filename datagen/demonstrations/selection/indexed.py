"""A pool that is ready for selection: what may be shown, and the indexes that strategies search."""

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
    """Choose no output more often than k / number of outputs, rounded up, while others are left."""
    exclude_duplicates: bool = True
    """Never choose a candidate with the query's input, nor a second copy of a candidate."""
    encoder: str = ""
    """Name of a sentence-transformers model. "" is the built-in encoder."""
    considered: int = 32
    """How many of the nearest candidates the teacher scores, at least k. A row keeps as many
    scores."""
    relevant: int = 100
    """How many of the nearest candidates `dpp` chooses from (CEIL, arXiv 2302.05698)."""
    representatives: int = 18
    """Candidates that `votek` keeps of a pool, at least k. It shows the nearest of them (arXiv
    2209.01975)."""
    degree: int = 150
    """Neighbours of a candidate in the graph of `votek`, as in the paper. In small pools a tenth of
    the candidates."""
    voters: int = 10_000
    """Most candidates in that graph; from a larger pool they are drawn. The time for the
    graph grows with the square of their number."""
    subsets: int = 10
    """Sets of k candidates that `mdl` compares (arXiv 2212.10375)."""
    beam: int = 8
    """How many of the best remaining candidates `teacher` tries at each place but the first. The
    teacher scores each of them, so more cost more."""
    seed: int = 0
    """Of random choices."""


class Indexed:
    """A pool under its settings. An index is built when a strategy first asks for it."""

    def __init__(self, pool: Pool, settings: SelectionSettings):
        self.pool = pool
        self.settings = settings
        self.outputs = [e.output for e in pool.candidates]
        self.labels = set(self.outputs)
        self._inputs = hashes(same_input(e.input) for e in pool.candidates)

    def examples(self, places: Iterable[int]) -> list[Example]:
        """Return the candidates at some places."""
        return [self.pool.candidates[place] for place in places]

    @cached_property
    def _copies(self) -> NDArray[np.bool_]:
        """For each candidate, whether the same input and output stand earlier in the pool."""
        pairs = hashes(f"{same_input(e.input)}\n{e.output.strip()}" for e in self.pool.candidates)
        copies = np.ones(len(pairs), dtype=bool)
        # np.unique gives the first place of each value
        copies[np.unique(pairs, return_index=True)[1]] = False
        return copies

    def usable(self, query: Example) -> NDArray[np.bool_]:
        """Return which candidates may be shown with a query, as booleans of shape (candidates,)."""
        if not self.settings.exclude_duplicates:
            return np.ones(len(self._inputs), dtype=bool)
        return ~self._copies & (self._inputs != hashes([same_input(query.input)])[0])

    def has_room(self, place: int, chosen: Sequence[int], k: int) -> bool:
        """Return whether label balance lets a candidate's output be chosen once more."""
        if not self.settings.balance:
            return True
        so_far = sum(self.outputs[other] == self.outputs[place] for other in chosen)
        return so_far < -(-k // len(self.labels))

    def admissible(self, chosen: Sequence[int], candidates: Iterable[int], k: int) -> list[int]:
        """Return the candidates that may follow the chosen ones, in their order.

        If label balance leaves room for none, all may follow.
        """
        rest = [place for place in candidates if place not in chosen]
        return [place for place in rest if self.has_room(place, chosen, k)] or rest

    @cached_property
    def neighbours(self) -> Neighbours:
        """The index of the candidates' vectors."""
        texts = [e.input for e in self.pool.candidates]
        return Neighbours(encoder(self.settings.encoder, texts), texts)

    def nearest(self, query: Example) -> Iterator[tuple[int, float]]:
        """Return usable candidates and their cosines, nearest first."""
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
        """Return usable candidates and their BM25 scores, highest first."""
        usable = self.usable(query)
        known = [word for word in words(query.input) if word in self._bm25.vocab_dict]
        scores = np.zeros(len(usable), dtype=np.float32)
        if known:
            scores = self._bm25.get_scores(known)
        ranked = ranking(lambda n: best(scores, n), len(usable))
        return ((place, score) for place, score in ranked if usable[place])

    @cached_property
    def representatives(self) -> list[int]:
        """The candidates in the order in which vote-k chooses them, without copies."""
        places = np.arange(len(self.outputs))
        if self.settings.exclude_duplicates:
            places = np.flatnonzero(~self._copies)
        if len(places) > self.settings.voters:
            rng = Random(f"{self.settings.seed}:votek:{self.pool.task}")
            drawn = rng.sample(range(len(places)), self.settings.voters)
            places = places[sorted(drawn)]
        # in a small pool 150 neighbours would be everybody
        degree = max(1, min(self.settings.degree, len(places) // 10))
        graph = nearest_others(self.neighbours.of(places.tolist()), degree)
        return [int(places[node]) for node in vote_k(graph, len(places))]


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return a hash of 64 bits for each text.

    Two texts of a million are taken for the same once in 36 million pools.
    """
    return np.array([hash_of(text) for text in texts], dtype=np.uint64)


def hash_of(text: str) -> int:
    """Return a hash of 64 bits that is the same in every process, unlike Python's own."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def words(text: str) -> list[str]:
    """Return the words and the single signs of a text, in lower case."""
    return re.findall(r"\w+|[^\w\s]", text.casefold())
