"""Mixing dataset versions in fixed proportions, and long with short rationales.

The proportions are exact, not sampled. Only the choice and the order of a source's rows are random.
A mixture of versions is hybrid distillation.
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
    """Return the sources that `--mixture` names, with weights that add up to 1.

    Args:
        mixture: `NAME@VERSION:CONFIG=WEIGHT` for each source. Weights need not add up to 1.
        config: the config of a source without `:CONFIG`.

    Raises:
        UserError: a source has another form, a weight is not above 0, or a source is named twice.
    """
    found = [read_source(text, config) for text in mixture]
    total = sum(source.weight for source in found)
    names = [(source.dataset, source.config) for source in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"--mixture: {twice[0][0]}, config {twice[0][1]}, is named twice")
    return [Source(source.dataset, source.config, source.weight / total) for source in found]


def read_source(text: str, config: str) -> Source:
    """Return one source, with its weight as the user wrote it."""
    name, _, weight = text.rpartition("=")
    dataset, colon, own = name.rpartition(":")
    dataset, own = (dataset, own) if colon else (own, config)
    # fractions, because shares as floats would not add up to 1
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
    """Divide `total` in proportion to the weights, by largest remainders.

    Args:
        weights: they add up to 1.
        total: the number to divide.

    Returns:
        Whole numbers, each within 1 of its share.

    Example:
        >>> allot([Fraction(2, 3), Fraction(1, 3)], 10)
        [7, 3]
    """
    exact = [weight * total for weight in weights]
    counts = [int(share) for share in exact]
    # the largest remainders first; of equal ones the earlier source
    by_remainder = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def rows_for_full_sources(weights: Sequence[Fraction], sizes: Sequence[int]) -> int:
    """Return the smallest number of rows that contains every source in full, in these proportions.

    Rows of smaller sources are repeated.
    """
    return max(-(-size // weight) for size, weight in zip(sizes, weights, strict=True))


def repeated_orders(size: int, count: int, *, stream: str) -> list[int]:
    """Return `count` indices below `size`, taken from one random order after another.

    So no index is repeated before all of them were used.
    """
    found: list[int] = []
    for number in range(-(-count // size)):
        order = list(range(size))
        # a stream of its own for each pass, so that a longer epoch begins as a shorter one does
        Random(f"{stream}:{number}").shuffle(order)
        found += order
    return found[:count]


def mix_rows(
    weights: Sequence[Fraction], sizes: Sequence[int], *, total: int | None, seed: int
) -> list[tuple[int, int]]:
    """Return the rows of an epoch, with the sources spread evenly.

    At every point of the epoch each source has had its share, within one row.

    Args:
        weights: of the sources; they add up to 1.
        sizes: how many rows each source has.
        total: rows of the epoch. Default: the fewest that contain every source in full.
        seed: of the order of each source's rows.

    Returns:
        (source, index) of each row.
    """
    counts = allot(weights, total if total is not None else rows_for_full_sources(weights, sizes))
    # row `number` of a source with `count` rows belongs at (number + 1/2) / count of the epoch:
    # sorted by that, every source is spread evenly
    places = []
    for source, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        order = repeated_orders(size, count, stream=f"{seed}:mixture:{source}")
        places += [
            (((number + 0.5) / count, source), (source, index))
            for number, index in enumerate(order)
        ]
    return [drawn for _, drawn in sorted(places)]


def choose_by_length(
    questions: Sequence[str], lengths: Sequence[int], *, share: float, seed: int
) -> list[int]:
    """Choose one rationale of each question: the longest for `share` of the questions.

    These questions are chosen at random, and their number is exact. The others keep their shortest
    rationale. Of equal lengths the first counts as the longer.

    Args:
        questions: the question of each row.
        lengths: the length of each row's rationale.
        share: of the questions, from 0 to 1.
        seed: of the choice.

    Returns:
        The chosen rows, in order.

    Source:
        A mix of long and short reasoning: arXiv 2502.12143, section 3.
    """
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(questions):
        rows.setdefault(question, []).append(row)
    order = list(rows)
    # shuffled and cut, not drawn question by question: the number of long ones is exact
    Random(f"{seed}:long").shuffle(order)
    long = set(order[: round(share * len(order))])
    ranked = {
        question: sorted(of, key=lambda row: (-lengths[row], row)) for question, of in rows.items()
    }
    return sorted(of[0] if question in long else of[-1] for question, of in ranked.items())
