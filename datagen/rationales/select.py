"""Which of a question's right chains stay."""

from __future__ import annotations

from collections.abc import Sequence

from datagen.answers import equations

LONGEST = 4000
"""Characters of a chain that the edit distance looks at: bounds the time spent on a degenerate
one."""


def choose(chains: Sequence[tuple[str, float | None]], keep: str, number: int) -> list[int]:
    """Places of the chains that stay, in order.

    `chains`: (text, mean log-probability in nats per token or None).

    A text that came twice stays once. `all` keeps the rest; `best` the most probable (the first
    where none is known); `diverse` `number` of them.
    """
    texts = [text.strip() for text, _ in chains]
    distinct = [place for place, text in enumerate(texts) if texts.index(text) == place]
    if keep == "all" or not distinct:
        return distinct
    best = max(
        distinct,
        key=lambda place: (-float("inf") if chains[place][1] is None else chains[place][1], -place),
    )
    return (
        [best]
        if keep == "best"
        else sorted(farthest([texts[p] for p in distinct], distinct.index(best), number, distinct))
    )


def farthest(texts: Sequence[str], start: int, number: int, places: Sequence[int]) -> list[int]:
    """`number` of `places` (one per text): new equation sequences first, among equals the farthest
    from those chosen.

    Distinct calculation paths are what more samples add (RFT, arXiv 2308.01825, section 3.3); the
    distance is the normalised Levenshtein distance to the nearest chosen text.
    """
    from rapidfuzz.distance import Levenshtein

    paths = [equations(text) for text in texts]
    chosen = [start]
    nearest = [1.0] * len(texts)
    while len(chosen) < min(number, len(texts)):
        last, taken = texts[chosen[-1]][:LONGEST], {paths[c] for c in chosen}
        nearest = [
            min(d, Levenshtein.normalized_distance(last, t[:LONGEST]))
            for d, t in zip(nearest, texts, strict=True)
        ]
        left = [i for i in range(len(texts)) if i not in chosen]
        chosen.append(max(left, key=lambda i: (paths[i] not in taken, nearest[i], -i)))
    return [places[i] for i in chosen]
