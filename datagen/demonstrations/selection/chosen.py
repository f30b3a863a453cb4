"""What a strategy is, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from datagen.demonstrations.pools import Example
from datagen.demonstrations.selection.indexed import Indexed
from datagen.demonstrations.selection.scoring import Asking


@dataclass(frozen=True)
class Selection:
    """Places of the chosen candidates in the order shown, and the score of every candidate that was
    considered.
    """

    indices: tuple[int, ...]
    scores: dict[int, float]
    """By place, best first; empty where nothing was compared."""

    def best_last(self) -> Selection:
        """The best one next to the query."""
        return replace(self, indices=self.indices[::-1])

    def without_scores(self) -> Selection:
        return replace(self, scores={})


Selector: TypeAlias = Callable[[Example, Indexed, int, Asking | None, str], Awaitable[Selection]]
"""(query, pool, k, teacher if asked, name of the random stream) to ordered places."""


def take(ranked: Iterable[tuple[int, float]], pool: Indexed, k: int) -> Selection:
    """The first k of a ranking, best first; under label balance a candidate whose output has had
    its share waits.

    Scores are kept of the first `considered` of the ranking and of the chosen ones.
    """
    passed: dict[int, float] = {}
    chosen: list[int] = []
    for place, score in ranked:
        passed[place] = score
        if len(chosen) < k and pool.has_room(place, chosen, k):
            chosen.append(place)
        if len(chosen) == k and len(passed) >= pool.settings.considered:
            break
    waiting = (place for place in passed if place not in chosen)
    chosen += islice(waiting, k - len(chosen))
    kept = set(islice(passed, pool.settings.considered)) | set(chosen)
    return Selection(
        tuple(chosen), {place: score for place, score in passed.items() if place in kept}
    )


def head(ranked: Iterable[tuple[int, float]], n: int) -> dict[int, float]:
    return dict(islice(ranked, n))
