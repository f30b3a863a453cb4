"""Verbs and their nouns as boxes within boxes, an inline SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from datagen.inspect.charts import joined, markup
from datagen.inspect.words import Pair

if TYPE_CHECKING:
    from markupsafe import Markup

VERBS, NOUNS = 20, 4
"""The most common verbs, and the most common nouns of each, as in figure 3 of Self-Instruct."""
LETTER = 7.4
"""Width of a letter; a Chinese character takes two."""


@dataclass(frozen=True)
class Box:
    """A rectangle of the treemap, in units of its drawing."""

    x: float
    y: float
    width: float
    height: float


WHOLE = Box(0, 0, 720, 420)


def treemap(pairs: Counter[Pair]) -> Markup:
    """The most common verbs; within each its most common nouns.

    Areas are counts of instructions.
    """
    verbs, nouns = Counter[str](), dict[str, Counter[str]]()
    for (verb, noun), number in pairs.items():
        verbs[verb] += number
        nouns.setdefault(verb, Counter())[noun] += number
    chosen = verbs.most_common(VERBS)
    boxes = squarify([number for _, number in chosen], WHOLE)
    parts = [
        verb_box(verb, number, nouns[verb], box, place % 8)
        for place, ((verb, number), box) in enumerate(zip(chosen, boxes, strict=True))
    ]
    label = "treemap of verbs and their nouns"
    size = '<svg class="treemap" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>'
    return markup(size, WHOLE.width, WHOLE.height, label, joined(parts))


def verb_box(verb: str, number: int, nouns: Counter[str], box: Box, colour: int) -> Markup:
    """A verb's box: its name on top, below its nouns; what is in none of their boxes is the
    rest.
    """
    head = min(18.0, box.height / 3)
    inner = Box(box.x, box.y + head, box.width, box.height - head)
    named = Counter({noun: count for noun, count in nouns.items() if noun}).most_common(NOUNS)
    rest = number - sum(count for _, count in named)
    parts = [*named, ("", rest)] if rest else named
    order = sorted(parts, key=lambda part: -part[1])
    boxes = squarify([count for _, count in order], inner)
    cells = [cell(verb, *part, place) for part, place in zip(order, boxes, strict=True)]
    title = markup("<title>{}: {:,}</title>", verb, number)
    frame = markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="verb">{}</rect>',
        *astuple(box),
        title,
    )
    name = written(f"{verb} {number:,}", box, 13, "name") or written(verb, box, 13, "name")
    return markup('<g class="tone{}">{}{}{}</g>', colour, frame, name, joined(cells))


def cell(verb: str, noun: str, number: int, box: Box) -> Markup:
    title = markup("<title>{} {}: {:,}</title>", verb, noun or "(others)", number)
    rect = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}">{}</rect>{}'
    text = written(noun, box, 14, "noun") if box.height > 18 else ""
    return markup(rect, *astuple(box), "noun" if noun else "rest", title, text)


def written(text: str, box: Box, down: float, kind: str) -> Markup | str:
    """The text in the box's top left corner, or nothing where it does not fit."""
    wide = sum(2 if ord(letter) > 0x2E7F else 1 for letter in text) * LETTER + 8
    if wide > box.width or box.height < 12:
        return ""
    return markup(
        '<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>', box.x + 4, box.y + down, kind, text
    )


def squarify(sizes: Sequence[float], box: Box) -> list[Box]:
    """Boxes with areas as `sizes`, which fall, filling `box` and as square as a greedy choice of
    rows makes them (Bruls, Huizing and van Wijk, Squarified Treemaps, 2000).
    """
    sizes, placed = list(sizes), list[Box]()
    while sizes:
        side, total = min(box.width, box.height), sum(sizes)
        area = box.width * box.height / total if total else 0
        length = 1
        while length < len(sizes) and worst(sizes[: length + 1], side, area) <= worst(
            sizes[:length], side, area
        ):
            length += 1
        row, sizes = sizes[:length], sizes[length:]
        boxes, box = lay(row, box, sum(row) / total if total else 1)
        placed += boxes
    return placed


def worst(row: Sequence[float], side: float, area: float) -> float:
    """The largest ratio of sides in a row of boxes laid along `side`."""
    total = sum(row) * area
    if not total or not side:
        return float("inf")
    return max(max(side**2 * r * area / total**2, total**2 / (side**2 * r * area)) for r in row)


def lay(row: Sequence[float], box: Box, share: float) -> tuple[list[Box], Box]:
    """A row of boxes along the shorter side, taking `share` of the box, and what is left of it."""
    total, upright, placed, at = sum(row), box.width >= box.height, list[Box](), 0.0
    for size in row:
        part = size / total
        if upright:
            placed.append(Box(box.x, box.y + at * box.height, box.width * share, part * box.height))
        else:
            placed.append(Box(box.x + at * box.width, box.y, part * box.width, box.height * share))
        at += part
    if upright:
        return placed, Box(box.x + box.width * share, box.y, box.width * (1 - share), box.height)
    return placed, Box(box.x, box.y + box.height * share, box.width, box.height * (1 - share))
