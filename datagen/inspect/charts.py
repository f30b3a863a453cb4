"""Charts as inline SVG.

Text goes through `Markup.format`, which escapes it; colours are classes of the style sheet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from datagen.histogram import Bin

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 360.0, 150.0
"""Of a histogram's plot, in SVG units."""


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


def histogram(bins: Sequence[Bin], name: str) -> Markup:
    """Columns of accepted with the rejected on top; the tallest gets its count, every fourth its
    label.
    """
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
        '<svg class="histogram" viewBox="0 -18 {:.0f} {:.0f}" role="img" aria-label="{}">'
        "{}{}{}{}</svg>",
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
    """Ten small columns: how often each score from 1 to 10 was given.

    Scores beyond fall in the first or the last.
    """
    tens = Counter[int]()
    for score, number in counts.items():
        tens[int(min(max(score, 1), 10))] += number
    top = max(tens.values(), default=0) or 1
    columns = [
        markup(
            '<rect class="accepted" x="{}" y="{:.1f}" width="7" height="{:.1f}">'
            "<title>score {}: {:,}</title></rect>",
            *((n - 1) * 9, 24 - 24 * tens[n] / top, 24 * tens[n] / top, n, tens[n]),
        )
        for n in range(1, 11)
    ]
    return markup('<svg class="scores" viewBox="0 0 90 25" role="img">{}</svg>', joined(columns))
