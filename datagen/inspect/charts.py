"""Charts as inline SVG. Text goes through `Markup.format`, which escapes it; colours are classes of
the style sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from datagen.inspect.collect import Sides

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 360.0, 150.0
"""Of a histogram's plot, in SVG units."""
BINS = 24
"""A histogram of lengths has at most this many bins before the last, which takes the longest
hundredth."""


@dataclass(frozen=True)
class Bin:
    label: str
    accepted: int
    rejected: int


def markup(template: str, *values: object) -> Markup:
    from markupsafe import Markup

    return Markup(template).format(*values)


def joined(parts: Iterable[Markup]) -> Markup:
    from markupsafe import Markup

    return Markup("").join(parts)


def bar(share: float) -> Markup:
    """A bar as wide as `share`, 0 to 1, of its place."""
    width = f"{max(share * 100, 0.4):.1f}%"
    return markup(
        '<svg class="bar" aria-hidden="true"><rect width="{}" height="100%" rx="2"/></svg>', width
    )


def length_bins(sides: Sides) -> list[Bin]:
    """Bins of equal, round width up to the 99th percentile; the last takes what is longer."""
    both = sides.accepted + sides.rejected
    end = percentile(both, 0.99)
    width = round_width((end + 1) / BINS)
    edges = [number * width for number in range(int(end // width) + 2)]
    found = [bin_of(sides, low, high, str(low)) for low, high in pairwise(edges)]
    last = bin_of(sides, edges[-1], float("inf"), f"{edges[-1]}+")
    return [*found, last] if last.accepted + last.rejected else found


def percentile(counts: Counter[float], share: float) -> float:
    """The least value that `share` of all values do not exceed; 0 of none."""
    below = 0
    for value, number in sorted(counts.items()):
        below += number
        if below >= share * counts.total():
            return value
    return 0


def round_width(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, ... that is at least `least`."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= least:
                return digit * power
        power *= 10


def share_bins(sides: Sides, number: int = 20) -> list[Bin]:
    """Bins of values from 0 to 1; 1 falls in the last."""
    edges = [*(n / number for n in range(number)), 1.001]
    return [bin_of(sides, low, high, f"{low:.2f}") for low, high in pairwise(edges)]


def bin_of(sides: Sides, low: float, high: float, label: str) -> Bin:
    def inside(counts: Counter[float]) -> int:
        return sum(number for value, number in counts.items() if low <= value < high)

    return Bin(label, inside(sides.accepted), inside(sides.rejected))


def histogram(bins: Sequence[Bin], name: str) -> Markup:
    """Columns of accepted with the rejected on top; the tallest gets its count, every fourth its
    label."""
    top = max((b.accepted + b.rejected for b in bins), default=0) or 1
    step, every = WIDTH / max(len(bins), 1), max(1, len(bins) // 6)
    columns = [column(b, place * step, step, HEIGHT / top) for place, b in enumerate(bins)]
    labels = [
        markup(
            '<text x="{:.1f}" y="{:.0f}" class="tick">{}</text>', place * step, HEIGHT + 16, b.label
        )
        for place, b in enumerate(bins)
        if place % every == 0
    ]
    lines = markup('<path class="axis" d="M0 {0:.0f}H{1:.0f}M0 0H{1:.0f}"/>', HEIGHT, WIDTH)
    scale = markup('<text x="{:.0f}" y="-5" class="tick end">{:,}</text>', WIDTH, top)
    return markup(
        '<svg class="histogram" viewBox="0 -18 {:.0f} {:.0f}" role="img" aria-label="{}">{}{}{}{}</svg>',
        *(WIDTH + 12, HEIGHT + 40, name, joined(columns), joined(labels), lines, scale),
    )


def column(counts: Bin, x: float, step: float, scale: float) -> Markup:
    low, high = counts.accepted * scale, counts.rejected * scale
    rect = '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>'
    place, width = x + step * 0.06, step * 0.88
    parts = [
        markup(rect, "accepted", place, HEIGHT - low, width, low),
        markup(rect, "rejected", place, HEIGHT - low - high, width, high),
        markup("<title>{}: {:,} accepted, {:,} rejected</title>", *vars(counts).values()),
    ]
    return markup('<g class="column">{}</g>', joined(parts))


def scores(counts: Counter[float]) -> Markup:
    """Ten small columns: how often each score from 1 to 10 was given. Scores beyond fall in the
    first or the last."""
    tens = Counter[int]()
    for score, number in counts.items():
        tens[int(min(max(score, 1), 10))] += number
    top = max(tens.values(), default=0) or 1
    columns = [
        markup(
            '<rect class="accepted" x="{}" y="{:.1f}" width="7" height="{:.1f}"><title>score {}: {:,}</title></rect>',
            *((n - 1) * 9, 24 - 24 * tens[n] / top, 24 * tens[n] / top, n, tens[n]),
        )
        for n in range(1, 11)
    ]
    return markup('<svg class="scores" viewBox="0 0 90 25" role="img">{}</svg>', joined(columns))
