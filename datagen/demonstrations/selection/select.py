"""Which demonstrations to show with a query, and in which order: the strategies by name.

All but `random` show the best one last, next to the query; `teacher` shows them in the order in
which it found them to help. Scores grow with preference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import TypeVar

import numpy as np

from datagen.demonstrations.pools import Example, Pool
from datagen.demonstrations.selection.chosen import Selection, Selector, head, take
from datagen.demonstrations.selection.diversity import greedy_map, kernel
from datagen.demonstrations.selection.indexed import Indexed, SelectionSettings
from datagen.demonstrations.selection.scoring import Asking, codelength, informativeness, likelihood
from datagen.errors import UserError

__all__ = ["STRATEGIES", "Asking", "Indexed", "Selection", "SelectionSettings", "check", "select"]


async def select(
    strategy: str,
    query: Example,
    pool: Indexed,
    k: int,
    *,
    asking: Asking | None = None,
    stream: str = "",
) -> Selection:
    """K demonstrations of a pool for a query.

    `asking` is needed by the strategies in ASKING, `stream` names the draw.

    Fewer than k come back only where the teacher's context holds no more. Raises UserError for a
    pool with fewer than k usable candidates, ContextExceeded where not one of them fits.
    """
    usable = int(pool.usable(query).sum())
    if usable < k:
        raise UserError(
            f"task {pool.pool.task}: {usable} candidates can be shown with a query, fewer than "
            f"k = {k}; "
            "ask for fewer with --shots"
        )
    return await STRATEGIES[strategy](query, pool, k, asking, stream) if k else Selection((), {})


def check(strategy: str, pools: Iterable[Pool], *, split: str = "train") -> None:
    """Raise UserError for a strategy that is unknown, that would see a test query's gold, or that
    needs options.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"no strategy {strategy!r}: there are {', '.join(STRATEGIES)}")
    if strategy in SEES_GOLD and split == "test":
        raise UserError(
            f"--strategy {strategy} looks at the gold answer, which a test query must not show; "
            f"use {', '.join(name for name in STRATEGIES if name not in SEES_GOLD)}"
        )
    for pool in pools if strategy in NEEDS_OPTIONS else ():
        if len(pool.options) < 2:
            raise UserError(
                f"task {pool.task} names no options, which --strategy {strategy} compares; "
                "leave it out with --tasks"
            )


async def at_random(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    usable = np.flatnonzero(pool.usable(query)).tolist()
    rng = Random(f"{pool.settings.seed}:random:{pool.pool.task}:{query.id}:{stream}")
    return take(((place, 0.0) for place in shuffled(usable, rng)), pool, k).without_scores()


async def bm25(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Highest BM25 between inputs (Robertson and Zaragoza 2009)."""
    return take(pool.lexical(query), pool, k).best_last()


async def knn(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Nearest inputs by cosine, the nearest last (KATE, arXiv 2101.06804, section 3)."""
    return take(pool.nearest(query), pool, k).best_last()


async def votek(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The nearest among the pool's representatives (arXiv 2209.01975, sections 2.1 and 2.2)."""
    usable = pool.usable(query)
    kept = [place for place in pool.representatives if usable[place]][
        : max(k, pool.settings.representatives)
    ]
    cosines = pool.neighbours.of(kept) @ pool.neighbours.encode([query.input])[0]
    ranked = sorted(zip(kept, cosines.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return take(ranked, pool, k).best_last()


async def dpp(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Greedy MAP of relevance times diversity among the nearest (CEIL, arXiv 2302.05698, without
    its training).
    """
    near = head(pool.nearest(query), max(k, pool.settings.relevant))
    places = list(near)
    matrix = kernel(np.array(list(near.values())), pool.neighbours.of(places))

    def allowed(chosen: list[int]) -> list[int]:
        free = pool.admissible([places[item] for item in chosen], places, k)
        return [places.index(place) for place in free]

    found = [places[item] for item in greedy_map(matrix, k, allowed)]
    order = [*found, *(place for place in places if place not in found)]
    return take([(place, near[place]) for place in order], pool, k).best_last()


async def mdl(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The ordered subset of the nearest that makes the teacher surest of a label (arXiv 2212.10375,
    section 3).

    A candidate's score is the mean, over the subsets it stands in, of minus the codelength in bits.
    """
    asking = asking_of(asking)
    near = list(head(pool.nearest(query), max(k, pool.settings.considered)))
    rng = Random(f"{pool.settings.seed}:mdl:{pool.pool.task}:{query.id}:{stream}")
    subsets = [
        take(((p, 0.0) for p in shuffled(near, rng)), pool, k).indices
        for _ in range(pool.settings.subsets)
    ]
    bits = [await codelength(query, pool.examples(subset), asking) for subset in subsets]
    ranked = by_score(subsets, [None if length is None else -length for length in bits])
    standing = {place: [score for subset, score in ranked if place in subset] for place in near}
    scores = {place: sum(found) / len(found) for place, found in standing.items() if found}
    return Selection(ranked[0][0] if ranked else subsets[0], scores)


async def cone(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The nearest that make the query itself most likely, each alone before it (arXiv 2401.12087,
    section 3).
    """
    near = list(head(pool.nearest(query), max(k, pool.settings.considered)))
    scores = await informativeness(query, pool.examples(near), asking_of(asking))
    return take(by_score(near, scores), pool, k).best_last()


async def teacher(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Greedy forward selection by the gold's likelihood.

    A candidate's score is its utility: how much it alone raises the mean log-probability of the
    gold's tokens over no demonstrations, in nats.

    Each step puts the candidate next to the query that helps most after those already there, so
    that the prompts of a step begin alike. Uses the gold answer: for training queries only.
    """
    asking, near = (
        asking_of(asking),
        list(head(pool.nearest(query), max(k, pool.settings.considered))),
    )
    bare, *alone = await likelihood(
        query, [[], *([e] for e in pool.examples(near))], asking, required=False
    )
    utilities = {place: score - (bare or 0.0) for place, score in by_score(near, alone)}
    if not utilities:
        await likelihood(query, [pool.examples(near[:1])], asking)  # raises, and says why
    chosen = pool.admissible([], utilities, k)[:1]
    while 0 < len(chosen) < k:
        tried = pool.admissible(chosen, utilities, k)[: pool.settings.beam]
        sets = [pool.examples([*chosen, place]) for place in tried]
        ranked = by_score(tried, await likelihood(query, sets, asking, required=False))
        if not ranked:
            break  # the context is full
        chosen.append(ranked[0][0])
    return Selection(tuple(chosen), utilities)


T = TypeVar("T")


def by_score(items: Sequence[T], scores: Sequence[float | None]) -> list[tuple[T, float]]:
    """Best first, of equal scores in the order given; without those that could not be scored."""
    found = [(item, score) for item, score in zip(items, scores, strict=True) if score is not None]
    return sorted(found, key=lambda pair: -pair[1])


def asking_of(asking: Asking | None) -> Asking:
    if asking is None:
        raise UserError(
            f"the strategies {', '.join(ASKING)} need a teacher that scores: hf:NAME_OR_PATH "
            "or micro"
        )
    return asking


def shuffled(places: list[int], rng: Random) -> Iterator[int]:
    """All places in random order, drawn as they are wanted (Fisher and Yates)."""
    moved: dict[int, int] = {}
    for last in range(len(places) - 1, -1, -1):
        at = rng.randrange(last + 1)
        yield places[moved.get(at, at)]
        moved[at] = moved.get(last, last)


STRATEGIES: dict[str, Selector] = {
    "random": at_random,
    "bm25": bm25,
    "knn": knn,
    "votek": votek,
    "dpp": dpp,
    "mdl": mdl,
    "cone": cone,
    "teacher": teacher,
}
ASKING = ("mdl", "cone", "teacher")
"""Strategies that ask the teacher to score."""
NEEDS_OPTIONS = ("mdl",)
SEES_GOLD = ("teacher",)
"""Strategies that look at the query's gold answer."""
