"""Draw verbs and their nouns as boxes within boxes, as inline SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from datagen.inspect.charts import joined, markup
from datagen.inspect.words import Pair

if TYPE_CHECKING:
    from markupsafe import Markup

VERBS = 20
"""The treemap has this many verbs, the most common ones, as figure 3 of Self-Instruct."""
NOUNS = 4
"""Each verb has this many nouns, its most common ones, as figure 3 of Self-Instruct."""
LETTER = 7.4
"""The width of a letter in SVG units at the page's font size. A Chinese character takes two."""


@dataclass(frozen=True)
class Box:
    """A rectangle. x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


WHOLE = Box(0, 0, 720, 420)


def treemap(pairs: Counter[Pair]) -> Markup:
    """Return a treemap of the most common verbs, each with its most common nouns.

    Args:
        pairs: The number of instructions with each verb and noun. Areas are proportional to it.
    """
    verbs = Counter[str]()
    nouns: dict[str, Counter[str]] = {}
    for (verb, noun), number in pairs.items():
        verbs[verb] += number
        nouns.setdefault(verb, Counter())[noun] += number

    chosen = verbs.most_common(VERBS)
    boxes = squarify([number for _, number in chosen], WHOLE)
    # The style sheet has eight colours.
    parts = [
        verb_box(verb, number, nouns[verb], box, place % 8)
        for place, ((verb, number), box) in enumerate(zip(chosen, boxes, strict=True))
    ]
    label = "treemap of verbs and their nouns"
    size = '<svg class="treemap" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>'
    return markup(size, WHOLE.width, WHOLE.height, label, joined(parts))


def verb_box(verb: str, number: int, nouns: Counter[str], box: Box, colour: int) -> Markup:
    """Return the box of a verb: its name at the top, and below it the boxes of its nouns.

    One more box stands for the other nouns together.
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
    # In a narrow box the number is left out before the name is.
    name = label_in(f"{verb} {number:,}", box, 13, "name") or label_in(verb, box, 13, "name")
    return markup('<g class="tone{}">{}{}{}</g>', colour, frame, name, joined(cells))


def cell(verb: str, noun: str, number: int, box: Box) -> Markup:
    """Return the box of a noun. An empty noun stands for all others."""
    title = markup("<title>{} {}: {:,}</title>", verb, noun or "(others)", number)
    rect = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}">{}</rect>{}'
    text = label_in(noun, box, 14, "noun") if box.height > 18 else ""
    return markup(rect, *astuple(box), "noun" if noun else "rest", title, text)


def label_in(text: str, box: Box, down: float, kind: str) -> Markup | str:
    """Return a text in the upper left corner of a box, or an empty text if it does not fit."""
    # Chinese characters begin at U+2E80. The margin is 4 units to each side.
    width = sum(2 if ord(letter) > 0x2E7F else 1 for letter in text) * LETTER + 8
    if width > box.width or box.height < 12:
        return ""
    return markup(
        '<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>', box.x + 4, box.y + down, kind, text
    )


def squarify(sizes: Sequence[float], box: Box) -> list[Box]:
    """Fill a box with smaller boxes that are as square as a greedy choice of rows makes them.

    Args:
        sizes: The sizes of the boxes, the largest first. Areas are proportional to them.
        box: The box to fill.

    Returns:
        A box for each size.

    Source:
        Bruls, Huizing and van Wijk, Squarified Treemaps, 2000.
    """
    left = list(sizes)
    placed: list[Box] = []
    while left:
        side = min(box.width, box.height)
        total = sum(left)
        area = box.width * box.height / total if total else 0

        # The row grows as long as its least square box does not become worse.
        length = 1
        ratio = worst_ratio(left[:1], side, area)
        while length < len(left):
            longer = worst_ratio(left[: length + 1], side, area)
            if longer > ratio:
                break
            ratio = longer
            length += 1

        row = left[:length]
        left = left[length:]
        boxes, box = lay_row(row, box, sum(row) / total if total else 1)
        placed += boxes
    return placed


def worst_ratio(row: Sequence[float], side: float, area: float) -> float:
    """Return the largest ratio of width and height, or height and width, in a row of boxes.

    Args:
        row: The sizes of the boxes.
        side: The length of the side along which they stand.
        area: The area of a box of size 1.
    """
    total = sum(row) * area
    if not total or not side:
        return float("inf")
    return max(max(side**2 * r * area / total**2, total**2 / (side**2 * r * area)) for r in row)


def lay_row(row: Sequence[float], box: Box, share: float) -> tuple[list[Box], Box]:
    """Lay a row of boxes along the shorter side of a box.

    Args:
        row: The sizes of the boxes.
        box: The box to lay them into.
        share: The fraction of the box that the row takes.

    Returns:
        The boxes of the row, and the rest of the box.
    """
    total = sum(row)
    upright = box.width >= box.height
    placed: list[Box] = []
    at = 0.0
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
