"""Draw charts as inline SVG.

All text goes through `Markup.format`, which escapes it. The style sheet has the colours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from datagen.histogram import Bin

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH = 360.0
"""The width of a histogram in SVG units. Two histograms fit side by side on a laptop."""
HEIGHT = 150.0
"""The height of a histogram in SVG units."""
LABELS = 6
"""Labels under a histogram. With more of them, numbers of four digits would touch."""


def markup(template: str, *values: object) -> Markup:
    """Return a template of SVG with escaped values."""
    from markupsafe import Markup

    return Markup(template).format(*values)


def joined(parts: Iterable[Markup]) -> Markup:
    """Return pieces of SVG as one."""
    from markupsafe import Markup

    return Markup("").join(parts)


def bar(share: float) -> Markup:
    """Return a bar that fills a fraction of its place. `share` is between 0 and 1."""
    # A bar of a few rows among thousands stays visible.
    width = f"{max(share * 100, 0.4):.1f}%"
    return markup(
        '<svg class="bar" aria-hidden="true"><rect width="{}" height="100%" rx="2"/></svg>', width
    )


def histogram(bins: Sequence[Bin], name: str) -> Markup:
    """Return a histogram: columns of the accepted rows with the rejected rows on top.

    Args:
        bins: The columns from left to right.
        name: What the histogram shows, for screen readers.
    """
    top = max((b.accepted + b.rejected for b in bins), default=0) or 1
    step = WIDTH / max(len(bins), 1)
    columns = [column(b, place * step, step, HEIGHT / top) for place, b in enumerate(bins)]

    every = max(1, len(bins) // LABELS)
    tick = '<text x="{:.1f}" y="{:.0f}" class="tick">{}</text>'
    labels = [
        markup(tick, place * step, HEIGHT + 16, b.label)
        for place, b in enumerate(bins)
        if place % every == 0
    ]

    lines = markup('<path class="axis" d="M0 {0:.0f}H{1:.0f}M0 0H{1:.0f}"/>', HEIGHT, WIDTH)
    scale = markup('<text x="{:.0f}" y="-5" class="tick end">{:,}</text>', WIDTH, top)
    return markup(
        '<svg class="histogram" viewBox="0 -18 {:.0f} {:.0f}" role="img" '
        'aria-label="{}">{}{}{}{}</svg>',
        *(WIDTH + 12, HEIGHT + 40, name, joined(columns), joined(labels), lines, scale),
    )


def column(counts: Bin, x: float, step: float, scale: float) -> Markup:
    """Return a column of a histogram.

    Args:
        counts: The rows of the bin.
        x: The left edge.
        step: The width, with the gap to the next column.
        scale: The height of one row.
    """
    low = counts.accepted * scale
    high = counts.rejected * scale
    rect = '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>'

    # An eighth of the step is the gap between two columns.
    place = x + step * 0.06
    width = step * 0.88
    parts = [
        markup(rect, "accepted", place, HEIGHT - low, width, low),
        markup(rect, "rejected", place, HEIGHT - low - high, width, high),
        markup("<title>{}: {:,} accepted, {:,} rejected</title>", *vars(counts).values()),
    ]
    return markup('<g class="column">{}</g>', joined(parts))


def scores(counts: Counter[float]) -> Markup:
    """Return ten small columns: how often a judge gave each score from 1 to 10.

    Other scores count for 1 or for 10.
    """
    by_score = Counter[int]()
    for score, number in counts.items():
        by_score[int(min(max(score, 1), 10))] += number

    top = max(by_score.values(), default=0) or 1
    rect = (
        '<rect class="accepted" x="{}" y="{:.1f}" width="7" height="{:.1f}">'
        "<title>score {}: {:,}</title></rect>"
    )
    columns = []
    for score in range(1, 11):
        height = 24 * by_score[score] / top
        columns.append(markup(rect, (score - 1) * 9, 24 - height, height, score, by_score[score]))
    return markup('<svg class="scores" viewBox="0 0 90 25" role="img">{}</svg>', joined(columns))
