"""The strategies that choose demonstrations for a query, and their order.

`random` has no best demonstration. `teacher` shows them in the order in which they helped. All
other strategies show the best one last, next to the query. A higher score is a better one.
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
    """Choose k demonstrations of a pool for a query.

    Args:
        strategy: a name in STRATEGIES.
        query: what is asked.
        pool: the candidates.
        k: how many to choose.
        asking: the teacher, for the strategies in ASKING.
        stream: name of the random stream.

    Returns:
        The places of the demonstrations. There are fewer than k only if the teacher's context holds
        no more.

    Raises:
        UserError: fewer than k candidates can be shown, or the strategy needs a teacher.
        ContextExceeded: the teacher's context holds no candidate at all.
    """
    usable = int(pool.usable(query).sum())
    if usable < k:
        raise UserError(
            f"task {pool.pool.task}: {usable} candidates can be shown with a query, fewer than "
            f"k = {k}; ask for fewer with --shots"
        )
    return await STRATEGIES[strategy](query, pool, k, asking, stream) if k else Selection((), {})


def check(strategy: str, pools: Iterable[Pool], *, split: str = "train") -> None:
    """Raise UserError for a strategy that cannot be used.

    Args:
        strategy: its name may be unknown.
        pools: a strategy in NEEDS_OPTIONS needs tasks with labels.
        split: a strategy in SEES_GOLD must not see the gold answer of a test query.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"no strategy {strategy!r}: there are {', '.join(STRATEGIES)}")
    if strategy in SEES_GOLD and split == "test":
        raise UserError(
            f"--strategy {strategy} looks at the gold answer, which a test query must not show; "
            f"use {', '.join(name for name in STRATEGIES if name not in SEES_GOLD)}"
        )
    for pool in pools:
        if strategy in NEEDS_OPTIONS and len(pool.options) < 2:
            raise UserError(
                f"task {pool.task} names no options, which --strategy {strategy} compares; "
                "leave it out with --tasks"
            )


async def at_random(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Random candidates."""
    usable = np.flatnonzero(pool.usable(query)).tolist()
    rng = Random(f"{pool.settings.seed}:random:{pool.pool.task}:{query.id}:{stream}")
    return take(((place, 0.0) for place in shuffled(usable, rng)), pool, k).without_scores()


async def bm25(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The candidates with the highest BM25 of their inputs (Robertson and Zaragoza 2009)."""
    return take(pool.lexical(query), pool, k).best_last()


async def knn(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The nearest candidates by the cosine of their inputs (KATE, arXiv 2101.06804, section 3)."""
    return take(pool.nearest(query), pool, k).best_last()


async def votek(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The nearest of the pool's representatives (vote-k, arXiv 2209.01975, section 2)."""
    usable = pool.usable(query)
    allowed = [place for place in pool.representatives if usable[place]]
    kept = allowed[: max(k, pool.settings.representatives)]
    # few representatives are left, so they are compared directly
    cosines = pool.neighbours.of(kept) @ pool.neighbours.encode([query.input])[0]
    ranked = sorted(zip(kept, cosines.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return take(ranked, pool, k).best_last()


async def dpp(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Near candidates that are unlike each other: greedy MAP of a determinantal point process.

    Source:
        CEIL, arXiv 2302.05698, section 3.2, without its training.
    """
    near = head(pool.nearest(query), max(k, pool.settings.relevant))
    places = list(near)
    matrix = kernel(np.array(list(near.values())), pool.neighbours.of(places))

    def allowed(chosen: list[int]) -> list[int]:
        free = pool.admissible([places[item] for item in chosen], places, k)
        return [places.index(place) for place in free]

    # if the rank ends before k are found, the nearest of the others follow
    found = [places[item] for item in greedy_map(matrix, k, allowed)]
    order = [*found, *(place for place in places if place not in found)]
    return take([(place, near[place]) for place in order], pool, k).best_last()


async def mdl(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The ordered subset of the nearest candidates that makes the teacher surest of a label.

    The score of a subset is minus the codelength in bits. The score of a candidate is the mean
    score of its subsets.

    Source:
        MDL, arXiv 2212.10375, section 3.
    """
    asking = asking_of(asking)
    near = list(head(pool.nearest(query), max(k, pool.settings.considered)))
    rng = Random(f"{pool.settings.seed}:mdl:{pool.pool.task}:{query.id}:{stream}")
    # random subsets in random order: the order is part of what is compared
    subsets = [
        take(((p, 0.0) for p in shuffled(near, rng)), pool, k).indices
        for _ in range(pool.settings.subsets)
    ]
    bits = [await codelength(query, pool.examples(subset), asking) for subset in subsets]
    ranked = by_score(subsets, [None if length is None else -length for length in bits])

    scores: dict[int, float] = {}
    for place in near:
        found = [score for subset, score in ranked if place in subset]
        if found:
            scores[place] = sum(found) / len(found)
    # if no subset fits the context, the first one is tried, and cut to what fits
    return Selection(ranked[0][0] if ranked else subsets[0], scores)


async def cone(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """The nearest candidates after which the query itself is most probable.

    Source:
        ConE, arXiv 2401.12087, section 3.
    """
    near = list(head(pool.nearest(query), max(k, pool.settings.considered)))
    scores = await informativeness(query, pool.examples(near), asking_of(asking))
    return take(by_score(near, scores), pool, k).best_last()


async def teacher(
    query: Example, pool: Indexed, k: int, asking: Asking | None, stream: str
) -> Selection:
    """Greedy forward selection by the likelihood of the gold answer.

    Each step appends the candidate that helps most after those already chosen. So all prompts of a
    step begin alike, and the engine can reuse its computation. The gold answer is read: only
    training queries may use it.

    The score of a candidate is its utility: how much it alone raises the mean log-probability of
    the gold's tokens, in nats, compared with no demonstration.
    """
    asking = asking_of(asking)
    near = list(head(pool.nearest(query), max(k, pool.settings.considered)))
    singles = [[e] for e in pool.examples(near)]
    bare, *alone = await likelihood(query, [[], *singles], asking, required=False)
    utilities = {place: score - (bare or 0.0) for place, score in by_score(near, alone)}
    if not utilities:
        await likelihood(query, [pool.examples(near[:1])], asking)  # raises, and says why
    # the first place goes to the highest utility, which is known already
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
    """Return (item, score), the best first. Items without a score are left out.

    Of equal scores the earlier item comes first.
    """
    found = [(item, score) for item, score in zip(items, scores, strict=True) if score is not None]
    return sorted(found, key=lambda pair: -pair[1])


def asking_of(asking: Asking | None) -> Asking:
    """Return the teacher. Raises UserError if there is none."""
    if asking is None:
        raise UserError(
            f"the strategies {', '.join(ASKING)} need a teacher that scores: hf:NAME_OR_PATH "
            "or micro"
        )
    return asking


def shuffled(places: list[int], rng: Random) -> Iterator[int]:
    """Yield all places in random order (Fisher and Yates). Each is drawn only when it is wanted."""
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
"""By the name that --strategy takes."""
ASKING = ("mdl", "cone", "teacher")
"""Strategies that ask the teacher to score."""
NEEDS_OPTIONS = ("mdl",)
"""Strategies that compare the labels of a classification task."""
SEES_GOLD = ("teacher",)
"""Strategies that read the query's gold answer."""
