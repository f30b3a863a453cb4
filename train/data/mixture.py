"""Several dataset versions in fixed proportions (hybrid distillation), and long and short
rationales in a ratio.

Proportions are exact, not drawn: what is random is which rows of a source come, and in which order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from datagen.errors import UserError


@dataclass(frozen=True)
class Source:
    """One part of a mixture."""

    dataset: str
    """As `--dataset` takes it."""
    config: str
    weight: Fraction
    """Its share of the rows; the shares of a mixture add up to 1."""


def read_mixture(mixture: Sequence[str], *, config: str) -> list[Source]:
    """`NAME@VERSION:CONFIG=WEIGHT` for each source; weights need not add up to 1; without `:CONFIG`
    it is `config`.

    Raises UserError for what does not read so, weights that are not above 0, and a source named
    twice."""
    found = [read_source(text, config) for text in mixture]
    total = sum(source.weight for source in found)
    names = [(source.dataset, source.config) for source in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--mixture: {twice[0][0]}, config {twice[0][1]}, is named twice")
    return [Source(source.dataset, source.config, source.weight / total) for source in found]


def read_source(text: str, config: str) -> Source:
    name, _, weight = text.rpartition("=")
    dataset, colon, own = name.rpartition(":")
    dataset, own = (dataset, own) if colon else (own, config)
    try:
        share = Fraction(weight)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not (dataset and own and share > 0):
        raise UserError(
            f"--mixture {text}: NAME@VERSION:CONFIG=WEIGHT is needed, with a weight above 0"
        )
    return Source(dataset, own, share)


def allot(weights: Sequence[Fraction], total: int) -> list[int]:
    """`total` in proportion to the weights, which add up to 1, by largest remainders: each within 1
    of its share."""
    exact = [weight * total for weight in weights]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def whole(weights: Sequence[Fraction], sizes: Sequence[int]) -> int:
    """The fewest rows that hold every source whole in these proportions; smaller sources repeat."""
    return max(-(-size // weight) for size, weight in zip(sizes, weights, strict=True))


def draws(size: int, count: int, *, stream: str) -> list[int]:
    """`count` indices below `size`: one random order after another, so that none comes n+1 times
    before all came n."""
    found: list[int] = []
    for number in range(-(-count // size)):
        order = list(range(size))
        Random(f"{stream}:{number}").shuffle(order)
        found += order
    return found[:count]


def mixed(
    weights: Sequence[Fraction], sizes: Sequence[int], *, total: int | None, seed: int
) -> list[tuple[int, int]]:
    """(source, index) of `total` rows, by default of the fewest that hold every source whole.

    The sources are spread evenly: at every point each has had its share, within one row for every
    source."""
    counts = allot(weights, total if total is not None else whole(weights, sizes))
    places = [
        (((number + 0.5) / count, source), (source, index))
        for source, (size, count) in enumerate(zip(sizes, counts, strict=True))
        for number, index in enumerate(draws(size, count, stream=f"{seed}:mixture:{source}"))
    ]
    return [drawn for _, drawn in sorted(places)]


def by_length(
    questions: Sequence[str], lengths: Sequence[int], *, share: float, seed: int
) -> list[int]:
    """One rationale of each question, by index: the longest for `share` of the questions, exactly
    and at random, the shortest for the others (a mix of long and short reasoning: arXiv 2502.12143,
    section 3).

    Of equal lengths the first counts as the longer.
    """
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(questions):
        rows.setdefault(question, []).append(row)
    order = list(rows)
    Random(f"{seed}:long").shuffle(order)
    long = set(order[: round(share * len(order))])
    ranked = {
        question: sorted(of, key=lambda row: (-lengths[row], row)) for question, of in rows.items()
    }
    return sorted(of[0] if question in long else of[-1] for question, of in ranked.items())
