"""Read numbers that are written in English words: "fifty-two", "one and a half"."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen")
SMALL = {word: n for n, word in enumerate((*UNITS, *TEENS, "eighteen", "nineteen"))}
DECADES = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
TENS = {word: 10 * n for n, word in enumerate(DECADES, 2)}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4}
PARTS |= {"fourths": 4, "fifth": 5, "fifths": 5, "sixths": 6, "eighth": 8, "eighths": 8}
PARTS |= {"tenth": 10, "tenths": 10}
WORD = "|".join(sorted([*SMALL, *TENS, *SCALES, "hundred"], key=len, reverse=True))
PART = "|".join(sorted(PARTS, key=len, reverse=True))
PHRASE = re.compile(
    rf"\b(?P<minus>(?:minus|negative) )?(?:(?:an? (?=hundred|thousand|million|{PART}))?"
    rf"(?:{WORD}|{PART})(?:(?:-| |, | and (?:an? )?)(?:{WORD}|{PART}))*)"
    rf"(?P<decimals> point(?: (?:{'|'.join(SMALL)}))+)?\b"
)
ALL = frozenset((*SMALL, *TENS, *SCALES, *PARTS, "hundred"))
LETTERS = re.compile("[a-z]+")
MAX_PHRASE = 120
"""Characters of a phrase. A longer one is a list, or noise."""


class Phrase(NamedTuple):
    """A number in words, and its place. The value is None if the words do not make one number."""

    value: Fraction | None
    start: int
    end: int


def find(text: str) -> list[Phrase]:
    """Return the numbers in words that a text holds, in order.

    Example:
        >>> [str(phrase.value) for phrase in find("fifty-two of two thousand and ten; one two")]
        ['52', '2010', 'None']
    """
    # Without capitals the search is faster. Some letters change their length in lower case.
    lower = text.lower()
    lower = lower if len(lower) == len(text) else text
    if ALL.isdisjoint(LETTERS.findall(lower)):
        return []
    return [Phrase(value_of(match), *match.span()) for match in PHRASE.finditer(lower)]


def value_of(match: re.Match[str]) -> Fraction | None:
    """Return the value of a PHRASE match, or None."""
    if len(match[0]) > MAX_PHRASE:
        return None
    words = re.findall(r"[a-z]+", match[0].lower())
    words = [word for word in words if word not in ("minus", "negative")]
    # "a hundred" and "a third" are "one hundred" and "one third".
    words = ["one" if word in ("a", "an") else word for word in words]
    if "point" in words:
        place = words.index("point")
        decimals = [SMALL[word] for word in words[place + 1 :]]
        whole = whole_value(words[:place])
        if whole is None or max(decimals) > 9:
            return None
        value: Fraction | None = whole + Fraction("0." + "".join(map(str, decimals)))
    else:
        value = with_part(words)
    return value if value is None or not match["minus"] else -value


def with_part(words: list[str]) -> Fraction | None:
    """Return the value of words that may end in a fraction: "two thirds", "one and a half"."""
    if words[-1] not in PARTS:
        return whole_value(words)
    if words == ["half"]:
        return Fraction(1, 2)
    if "and" in words:
        place = len(words) - 1 - words[::-1].index("and")
        whole = whole_value(words[:place])
        part = with_part(words[place + 1 :])
        return None if whole is None or part is None or part >= 1 else whole + part
    above = whole_value(words[:-1])
    # "The third" and "twenty-third" are places in an order.
    plural = words[-1].endswith("s")
    return None if above is None or (above == 1) == plural else above / PARTS[words[-1]]


def whole_value(words: list[str]) -> Fraction | None:
    """Return the value of the words of a whole number, or None if they are not one number."""
    total = 0
    last_scale = 10**15
    group: list[str] = []
    for word in words:
        if word not in SCALES:
            group.append(word)
            continue
        value = below_thousand(group)
        if value is None or SCALES[word] >= last_scale:
            return None
        last_scale = SCALES[word]
        total += value * last_scale
        group = []
    if not group:
        return Fraction(total) if words else None
    rest = below_thousand(group[1:] if total and group[0] == "and" else group)
    return None if rest is None or (total and not rest) else Fraction(total + rest)


def below_thousand(words: list[str]) -> int | None:
    """Return the value of "two hundred and five" or "twelve hundred". No word at all is 1."""
    if "hundred" not in words:
        return below_hundred(words) if words else 1
    place = words.index("hundred")
    hundreds = below_hundred(words[:place]) if place else 1
    rest = words[place + 1 :]
    rest = rest[1:] if rest[:1] == ["and"] else rest
    below = below_hundred(rest) if rest else 0
    return None if not hundreds or below is None else 100 * hundreds + below


def below_hundred(words: list[str]) -> int | None:
    """Return the value of "seven", "seventy" or "seventy seven"."""
    if len(words) == 1:
        return {**SMALL, **TENS}.get(words[0])
    if len(words) == 2 and words[0] in TENS and 0 < SMALL.get(words[1], 0) < 10:
        return TENS[words[0]] + SMALL[words[1]]
    return None
