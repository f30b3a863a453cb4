"""Which of a question's correct chains are kept."""

from __future__ import annotations

from collections.abc import Sequence

from datagen.answers import equations

LONGEST = 4000
"""Characters of a chain that the edit distance reads. Its time grows with the square of the length,
and only degenerate chains are longer."""


def choose(chains: Sequence[tuple[str, float | None]], keep: str, number: int) -> list[int]:
    """Return the places of the chains to keep, in order.

    A text that comes twice is kept once.

    Args:
        chains: (text, mean log-probability in nats per token or None) of every correct chain.
        keep: "all", "best" (the most probable chain; the first if no probability is known) or
            "diverse".
        number: how many chains "diverse" keeps.
    """
    texts = [text.strip() for text, _ in chains]
    distinct = [place for place, text in enumerate(texts) if texts.index(text) == place]
    if keep == "all" or not distinct:
        return distinct

    # among equally probable chains the first one wins, so that the result is stable
    best = max(distinct, key=lambda place: (logprob_of(chains[place]), -place))
    if keep == "best":
        return [best]
    chosen = farthest([texts[place] for place in distinct], distinct.index(best), number)
    return sorted(distinct[index] for index in chosen)


def logprob_of(chain: tuple[str, float | None]) -> float:
    """Return the log-probability; the lowest one if it is unknown."""
    return -float("inf") if chain[1] is None else chain[1]


def farthest(texts: Sequence[str], start: int, number: int) -> list[int]:
    """Return the indices of `number` texts that differ most, beginning with `start`.

    A text with a new sequence of equations comes first, because distinct calculation paths are what
    more samples add. Among equals, the text that is farthest from the chosen ones comes first. The
    distance is the normalised Levenshtein distance to the nearest chosen text.

    Source:
        Distinct calculation paths: RFT, arXiv 2308.01825, section 3.3.
    """
    from rapidfuzz.distance import Levenshtein

    paths = [equations(text) for text in texts]
    read = [text[:LONGEST] for text in texts]
    chosen = [start]
    nearest = [1.0] * len(texts)
    while len(chosen) < min(number, len(texts)):
        # only the newest chosen text can be nearer than those before it
        last = read[chosen[-1]]
        distances = [Levenshtein.normalized_distance(last, text) for text in read]
        nearest = [min(pair) for pair in zip(nearest, distances, strict=True)]

        taken = {paths[index] for index in chosen}
        left = [index for index in range(len(texts)) if index not in chosen]
        chosen.append(max(left, key=lambda i: (paths[i] not in taken, nearest[i], -i)))
    return chosen
