"""What a strategy is, and what it returns."""

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
    """The chosen candidates, and the scores of the candidates that were considered."""

    indices: tuple[int, ...]
    """Places of the chosen candidates, in the order to show them."""
    scores: dict[int, float]
    """Scores by place, highest first. Empty if nothing was compared."""

    def best_last(self) -> Selection:
        """Return the selection in reverse order, so that the best one stands next to the query."""
        return replace(self, indices=self.indices[::-1])

    def without_scores(self) -> Selection:
        """Return the selection of a strategy that compares nothing."""
        return replace(self, scores={})


Selector: TypeAlias = Callable[[Example, Indexed, int, Asking | None, str], Awaitable[Selection]]
"""From (query, pool, k, teacher that scores or None, name of the random stream) to a selection."""


def take(ranked: Iterable[tuple[int, float]], pool: Indexed, k: int) -> Selection:
    """Return the first k candidates of a ranking.

    Under label balance, a candidate whose output was chosen often enough waits. It is taken only if
    the ranking ends too early.

    Args:
        ranked: (place, score), best first. Only as much is read as is needed.
        pool: says which outputs have room.
        k: how many to choose.

    Returns:
        The places, best first, and the scores of the chosen and of the first `considered` ones.
    """
    passed: dict[int, float] = {}
    chosen: list[int] = []
    for place, score in ranked:
        passed[place] = score
        if len(chosen) < k and pool.has_room(place, chosen, k):
            chosen.append(place)
        if len(chosen) == k and len(passed) >= pool.settings.considered:
            break
    # better a label too often than fewer than k demonstrations
    waiting = (place for place in passed if place not in chosen)
    chosen += islice(waiting, k - len(chosen))
    kept = set(islice(passed, pool.settings.considered)) | set(chosen)
    scores = {place: score for place, score in passed.items() if place in kept}
    return Selection(tuple(chosen), scores)


def head(ranked: Iterable[tuple[int, float]], n: int) -> dict[int, float]:
    """Return the first n of a ranking, as score by place."""
    return dict(islice(ranked, n))
