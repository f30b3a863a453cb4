"""Find the equations of a chain of thought, and check whether they hold.

The equations tell two chains apart, as in RFT (arXiv 2308.01825): chains with the same equations
solve a question in the same way.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from datagen.answers import numbers
from datagen.answers.arithmetic import holds

MAX_DIGITS = 40
"""Characters of a number. A longer one is noise, such as a repeated digit."""
MAX_SIDE = 200
"""Symbols of both sides together. No worked step is longer, and the limit bounds the time."""
ANNOTATION = re.compile(r"<<([^<>\n]{1,400})>>")
"""A calculator annotation of GSM8K: "12 + 7 = <<12+7=19>>19"."""
TOKEN = re.compile(
    r"(?P<mixed>(?<![\d./*+-])\d{1,4} \d{1,2}/\d{1,2}(?![\d./]))|"
    # Not the 2 of "2x": with a variable behind it, it is no number of its own.
    r"(?P<number>(?<!\d)(?<!\d,)(?>\d+(?:,\d{3})*(?:\.\d+)?%?|\.\d+%?)"
    r"(?!\d|[abcnxyzABCNXYZ]\b))|"
    # The letter x is a multiplication sign only between operands.
    r"(?P<times>(?<=[\d)%])\s?x\s?(?=[\d($.-])|(?<=[\d)%] "
    r")x\s?(?=[\d($.-])|[*\u00d7\u22c5\u00b7]|\\times|\\cdot)|"
    # A dash that begins a line is a list mark, not a minus.
    r"(?P<over>[/\u00f7]|\\div)|(?P<bullet>^[ \t]{0,8}-[ "
    r"\t]+)|(?P<sign>[+\u2212-])|(?P<bracket>[()])|(?P<equals>=)|"
    r"(?P<skip>[ \t$\u20ac\u00a3]+)|(?P<other>[\s\S])",
    re.ASCII | re.MULTILINE,
)
OPERATORS = "+-*/"


class Token(NamedTuple):
    """A symbol of an equation in normal form, and its place in the text."""

    symbol: str
    start: int
    end: int


@dataclass(frozen=True)
class Equation:
    """An equation in normal form, and its place in the text."""

    left: str
    right: str
    start: int
    end: int


def equations(text: str) -> tuple[str, ...]:
    """Return the equations of a text in normal form, in order.

    "12 + 7 = 19", "12+7=$19" and "<<12+7=19>>" are all "12+7=19". An equation that stands both in a
    sentence and in its <<annotation>> counts once. "a = b = c" gives "a=b" and "b=c". The sides
    hold numbers, + - * / and parentheses, and at least one side computes something.

    Args:
        text: A chain of thought. The time is linear in its length.

    Returns:
        The equations as texts without spaces.

    Example:
        >>> equations("First 3+4=7, then 7*2=14.")
        ('3+4=7', '7*2=14')
    """
    return tuple(f"{found.left}={found.right}" for found in find(text))


def equation_validity(text: str) -> float | None:
    """Return the fraction of the text's equations that hold.

    An equation holds if both sides have the same value within 0.1 percent.

    Args:
        text: A chain of thought.

    Returns:
        A fraction between 0 and 1; None if the text has no equation.

    Example:
        >>> equation_validity("First 3+4=7, then 7*2=15.")
        0.5
    """
    checks = [holds(found.left, found.right) for found in find(text)]
    return sum(checks) / len(checks) if checks else None


def find(text: str) -> list[Equation]:
    """Return the equations of a text in order.

    An annotation repeats the equation of the sentence around it. Then only the annotation counts.
    """
    pieces: list[str] = []
    annotated: list[Equation] = []
    last = 0
    length = 0
    for mark in ANNOTATION.finditer(text):
        piece = text[last : mark.start()]
        pieces.append(piece)
        length += len(piece)
        last = mark.end()
        # In the text without annotations, an annotation is the point where it was cut out.
        annotated += [replace(inside, start=length, end=length) for inside in scan(mark[1])]
    pieces.append(text[last:])

    points = [equation.start for equation in annotated]
    written = [found for found in scan("".join(pieces)) if not spans(found, points)]

    # Sorting is stable: equations that begin at the same point keep their order.
    return sorted([*annotated, *written], key=lambda equation: equation.start)


def spans(equation: Equation, points: Sequence[int]) -> bool:
    """Return whether one of the points, which are sorted, lies within the equation."""
    following = bisect_left(points, equation.start)
    return following < len(points) and points[following] <= equation.end


def scan(text: str) -> Iterator[Equation]:
    """Yield the equations of a text without annotations."""
    for run in runs(text):
        for before, after in pairwise(split_sides(run)):
            left = whole_suffix(before)
            right = whole_prefix(after)
            if not left or not right or len(left) + len(right) > MAX_SIDE:
                continue

            # "5 = 5" and "x = 5" state a value. They are no step of a calculation.
            if computes(left) or computes(right):
                yield Equation(joined(left), joined(right), left[0].start, right[-1].end)


def runs(text: str) -> list[list[Token]]:
    """Return the stretches of arithmetic of a text: tokens that can follow each other.

    A stretch ends at a word, at the end of a line, and between two numbers side by side.
    """
    found: list[list[Token]] = [[]]
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("other", "bullet") or len(match.group()) > MAX_DIGITS:
            found.append([])
        elif kind != "skip":
            for symbol in symbols(match):
                append(found, Token(symbol, match.start(), match.end()))

    # The shortest equation has three tokens.
    return [run for run in found if len(run) > 2]


def append(found: list[list[Token]], token: Token) -> None:
    """Append a token to the last stretch, or begin a new one if it does not fit there."""
    before = found[-1][-1] if found[-1] else None

    # 2(3+4) is 2*(3+4), but only without a space between them.
    if before and token.symbol == "(" and before.end == token.start and is_operand(before.symbol):
        before = Token("*", token.start, token.start)
        found[-1].append(before)

    if before and not fits(before.symbol, token.symbol):
        found.append([])
    found[-1].append(token)


def symbols(match: re.Match[str]) -> list[str]:
    """Return the normal form of a TOKEN match. The mixed number 1 1/2 is (1+1/2)."""
    kind = match.lastgroup
    text = match.group()
    if kind == "mixed":
        whole, above, below = re.findall(r"\d+", text)
        # "12 7/2" is rather two numbers side by side than a mixed number.
        proper = int(above) < int(below)
        return ["(", whole, "+", above, "/", below, ")"] if proper else [whole, above, "/", below]
    if kind == "number":
        return [plain_number(text)]
    return [{"times": "*", "over": "/", "sign": "+" if text == "+" else "-"}.get(kind or "", text)]


def plain_number(text: str) -> str:
    """Return a number in canonical form, and its percent sign."""
    value = numbers.parse(text.rstrip("%"))
    return ("0" if value is None else numbers.canonical(value)) + "%" * text.endswith("%")


def fits(before: str, after: str) -> bool:
    """Return whether two symbols can follow each other in arithmetic."""
    operand = is_operand(before)
    if after[0].isdigit() or after == "(":
        return not operand
    if operand or after == "=":
        return True

    # Otherwise only a sign can follow: "= -3", "(-3", "2*-3", "2+-3", "2--3".
    return (after in "+-" and before in "=(*/") or before + after in ("+-", "--")


def split_sides(run: list[Token]) -> list[list[Token]]:
    """Split a stretch of arithmetic at its equals signs."""
    sides: list[list[Token]] = [[]]
    for token in run:
        if token.symbol == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def whole_suffix(side: list[Token]) -> list[Token]:
    """Return the end of a left side that is a whole expression.

    The expression begins behind the last unmatched bracket. The result is empty if something that
    was not read stands before it, as in "n + 3 + 4".
    """
    depth = 0
    start = 0
    for place in range(len(side) - 1, -1, -1):
        depth += (side[place].symbol == ")") - (side[place].symbol == "(")
        if depth < 0:
            start = place + 1
            break

    side = side[start:]
    if not side or depth > 0 or side[0].symbol in ")*/" or not is_operand(side[-1].symbol):
        return []

    # A sign stands close to its number. With a space between, an operand was not read.
    if side[0].symbol in "+-" and side[0].end != side[1].start:
        return []
    return side[1:] if side[0].symbol == "+" else side


def whole_prefix(side: list[Token]) -> list[Token]:
    """Return the beginning of a right side that is a whole expression.

    The expression ends before the first unmatched bracket or a dash. The result is empty if
    something that was not read follows it, as in "7 + n".
    """
    depth = 0
    last_whole = 0
    for end, token in enumerate(side, 1):
        depth += (token.symbol == "(") - (token.symbol == ")")
        if depth < 0:
            break
        if depth == 0 and is_operand(token.symbol):
            last_whole = end

    following = side[last_whole : last_whole + 1]
    return [] if following and following[0].symbol in "+*/(" else side[:last_whole]


def is_operand(symbol: str) -> bool:
    """Return whether an operand ends with this symbol."""
    return symbol[-1].isdigit() or symbol[-1] in ")%"


def computes(side: Sequence[Token]) -> bool:
    """Return whether a side has an operator, apart from a sign at its beginning."""
    return any(token.symbol in OPERATORS for token in side[1:])


def joined(side: Sequence[Token]) -> str:
    """Return a side as text without spaces."""
    return "".join(token.symbol for token in side)
