"""The equations of a chain: what tells two chains apart, and whether they hold (RFT, arXiv
2308.01825).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from itertools import pairwise

from datagen.answers import numbers

TOLERANCE = 1e-3  # relative
MAX_DIGITS = 40
MAX_SIDE = 200  # tokens of one side of an equation
ANNOTATION = re.compile(r"<<([^<>\n]{1,400})>>")
TOKEN = re.compile(
    r"(?P<mixed>(?<![\d./*+-])\d{1,4} \d{1,2}/\d{1,2}(?![\d./]))|"
    # not 2x
    r"(?P<number>(?<!\d)(?<!\d,)(?>\d+(?:,\d{3})*(?:\.\d+)?%?|\.\d+%?)(?!\d|[abcnxyzABCNXYZ]\b))|"
    r"(?P<times>(?<=[\d)%])\s?x\s?(?=[\d($.-])|(?<=[\d)%] "
    r")x\s?(?=[\d($.-])|[*\u00d7\u22c5\u00b7]|\\times|\\cdot)|"
    r"(?P<over>[/\u00f7]|\\div)|(?P<bullet>^[ \t]{0,8}-[ "
    r"\t]+)|(?P<sign>[+\u2212-])|(?P<bracket>[()])|(?P<equals>=)|"
    r"(?P<skip>[ \t$\u20ac\u00a3]+)|(?P<other>[\s\S])",
    re.ASCII | re.MULTILINE,
)
OPERATORS = "+-*/"
COMPUTE = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "~": 3}  # "~" is the unary minus


def equations(text: str) -> tuple[str, ...]:
    """The equations of a text in order, normalised.

    "12 + 7 = 19", "12+7=$19" and "<<12+7=19>>" are all "12+7=19". An equation that stands both in
    the sentence and in its <<annotation>> counts once. "a = b = c" gives "a=b" and "b=c". Sides
    hold numbers, + - * / and parentheses; one of the two must compute something. Takes linear time.

    Example:
        >>> equations("First 3+4=7, then 7*2=14.")
        ('3+4=7', '7*2=14')
    """
    return tuple(f"{left}={right}" for left, right in pairs(text))


def equation_validity(text: str) -> float | None:
    """The share of the text's equations that hold within 0.1%, from 0 to 1.

    Returns:
        The share; None where the text has no equation.

    Example:
        >>> equation_validity("First 3+4=7, then 7*2=15.")
        0.5
    """
    checks = [holds(left, right) for left, right in pairs(text)]
    return sum(checks) / len(checks) if checks else None


def pairs(text: str) -> list[tuple[str, str]]:
    """(left, right) of every equation, in order.

    A sentence's equation around an annotation is that annotation's.
    """
    found: list[tuple[int, tuple[str, str]]] = []
    plain, marks, last, length = [], [], 0, 0
    for mark in ANNOTATION.finditer(text):
        plain.append(text[last : mark.start()])
        length += len(plain[-1])
        inside = [pair for _, _, pair in scan(mark[1])]
        found += [(length, pair) for pair in inside]
        marks += [length] * bool(inside)
        last = mark.end()
    plain.append(text[last:])
    marks.append(len(text) + 1)
    place = 0
    for start, end, pair in scan("".join(plain)):
        while marks[place] < start:
            place += 1
        if marks[place] > end:
            found.append((start, pair))
    return [pair for _, pair in sorted(found, key=lambda item: item[0])]


def scan(text: str) -> list[tuple[int, int, tuple[str, str]]]:
    """(start, end, (left, right)) of the equations written in plain text."""
    found = []
    for run in runs(text):
        sides = split_sides(run)
        for left, right in pairwise(sides):
            left, right = whole_suffix(left), whole_prefix(right)
            if (
                left
                and right
                and len(left) + len(right) <= MAX_SIDE
                and (computes(left) or computes(right))
            ):
                found.append((left[0][1], right[-1][2], (joined(left), joined(right))))
    return found


Token = tuple[str, int, int]  # symbol, start, end


def runs(text: str) -> list[list[Token]]:
    """Stretches of arithmetic: tokens that can follow each other, cut at words, line ends and
    numbers side by side.
    """
    found: list[list[Token]] = [[]]
    for match in TOKEN.finditer(text):
        kind, start, end = match.lastgroup, match.start(), match.end()
        if kind in ("other", "bullet") or end - start > MAX_DIGITS:
            found.append([])
        elif kind != "skip":
            for symbol in symbols(match):
                if (
                    symbol == "("
                    and found[-1]
                    and found[-1][-1][2] == start
                    and is_operand(found[-1][-1][0])
                ):
                    found[-1].append(("*", start, start))  # 2(3+4)
                if found[-1] and not fits(found[-1][-1][0], symbol):
                    found.append([])
                found[-1].append((symbol, start, end))
    return [run for run in found if len(run) > 2]


def symbols(match: re.Match[str]) -> list[str]:
    """The normal form of a token; the mixed number 1 1/2 is (1+1/2)."""
    kind, text = match.lastgroup, match.group()
    if kind == "mixed":
        whole, above, below = re.findall(r"\d+", text)
        return (
            ["(", whole, "+", above, "/", below, ")"]
            if int(above) < int(below)
            else [whole, above, "/", below]
        )
    if kind == "number":
        return [plain_number(text)]
    return [{"times": "*", "over": "/", "sign": "+" if text == "+" else "-"}.get(kind or "", text)]


def plain_number(text: str) -> str:
    value = numbers.parse(text.rstrip("%"))
    return ("0" if value is None else numbers.canonical(value)) + "%" * text.endswith("%")


def fits(before: str, after: str) -> bool:
    """Whether two symbols can follow each other in arithmetic."""
    operand = is_operand(before)
    if after[0].isdigit() or after == "(":
        return not operand
    return (
        operand
        or after == "="
        or (after in "+-" and before in "=(*/")
        or before + after in ("+-", "--")
    )


def split_sides(run: list[Token]) -> list[list[Token]]:
    sides: list[list[Token]] = [[]]
    for token in run:
        if token[0] == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def whole_suffix(side: list[Token]) -> list[Token]:
    """The side from behind its last unmatched bracket; nothing where something unread stands before
    ("n + 3 + 4").
    """
    depth, start = 0, 0
    for place in range(len(side) - 1, -1, -1):
        depth += (side[place][0] == ")") - (side[place][0] == "(")
        if depth < 0:
            start = place + 1
            break
    side = side[start:]
    if not side or depth > 0 or side[0][0] in ")*/" or not is_operand(side[-1][0]):
        return []
    if side[0][0] in "+-" and side[0][2] != side[1][1]:
        return []  # a sign stands close to its number
    return side[1:] if side[0][0] == "+" else side


def whole_prefix(side: list[Token]) -> list[Token]:
    """The side up to its first unmatched bracket, or to a dash; nothing where something unread
    follows ("7 + n").
    """
    depth, last_whole = 0, 0
    for end, (symbol, _, _) in enumerate(side, 1):
        depth += (symbol == "(") - (symbol == ")")
        if depth < 0:
            break
        if depth == 0 and is_operand(symbol):
            last_whole = end
    cut = side[last_whole : last_whole + 1]
    return [] if cut and cut[0][0] in "+*/(" else side[:last_whole]


def is_operand(symbol: str) -> bool:
    return symbol[-1].isdigit() or symbol[-1] in ")%"


def computes(side: Sequence[Token]) -> bool:
    """Whether an operator stands between two operands."""
    return any(symbol in OPERATORS for symbol, _, _ in side[1:])


def joined(side: Sequence[Token]) -> str:
    return "".join(symbol for symbol, _, _ in side)


def holds(left: str, right: str) -> bool:
    """Whether both sides have the same value within the tolerance; "25%" reads as 0.25 or as 25,
    whichever fits.
    """
    return any(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-9)
        for a in readings(left)
        for b in readings(right)
    )


def readings(side: str) -> list[float]:
    values = [evaluate(side)]
    if side.endswith("%"):
        values.append(evaluate(side[:-1]))
    return [value for value in values if value is not None and math.isfinite(value)]


def evaluate(side: str) -> float | None:
    """The value of a normalised side, by two stacks (shunting-yard): no recursion, no eval. None
    when it has none.
    """
    values: list[float] = []
    pending: list[str] = []
    before = "("
    try:
        for symbol in re.findall(r"[\d.]+%?|[-+*/()]", side):
            if symbol[0] in "0123456789.":
                values.append(float(symbol.rstrip("%")) / (100 if symbol.endswith("%") else 1))
            elif symbol in "+-" and before in "(+-*/":
                pending += ["~"] * (symbol == "-")
            else:
                apply_waiting(values, pending, symbol)
            before = symbol
        apply_waiting(values, pending, "")
    except (IndexError, KeyError, ZeroDivisionError, OverflowError):
        return None
    return values[0] if len(values) == 1 and not pending else None


def apply_waiting(values: list[float], pending: list[str], symbol: str) -> None:
    """Compute what binds at least as tightly as the coming symbol ("" is the end), then put the
    symbol in line.
    """
    if symbol == "(":
        pending.append(symbol)
        return
    level = PRECEDENCE.get(symbol, 0)
    while pending and pending[-1] != "(" and PRECEDENCE[pending[-1]] >= level:
        sign, right = pending.pop(), values.pop()
        values.append(-right if sign == "~" else COMPUTE[sign](values.pop(), right))
    if symbol == ")":
        pending.pop()
    elif symbol:
        pending.append(symbol)
