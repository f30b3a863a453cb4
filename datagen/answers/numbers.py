"""Numbers in running text, and their one canonical form.

Canonical: a plain decimal where the number has a finite one of at most 40 places ("18", "0.5",
"-3.25"), else a reduced fraction ("1/3"). Units and currency are dropped. A percent sign counts as
a unit: "50%" is "50", as golds are written.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

MAX_DIGITS = 60  # longer runs of digits are noise, and exact arithmetic on them is where time goes
MAX_EXPONENT = 40
MAX_PLACES = 40
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
DECIMAL = rf"(?:{DIGITS}(?:\.\d+)?|\.\d+)"
# No two parts of the pattern can match the same characters, so a search costs time linear in the
# text.
NUMBER = re.compile(
    rf"(?P<minus>(?<![\w.)\]%])[-\u2212])?(?:[$\u20ac\u00a3\u00a5]\s?)?(?P<minus_inside>(?<=[$\u20ac\u00a3\u00a5])[-\u2212])?"
    rf"(?<![\w.])(?P<value>{DECIMAL})"
    r"(?:[eE](?P<exponent>[+-]?\d+)(?!\w)|(?P<over>\s?/\s?(?P<denominator>\d+(?:\.\d+)?)(?![\d/]))|"
    r"\s(?P<numerator>\d+)/(?P<part>\d+)(?![\d/]))?"
    r"(?:[ \u00a0-](?P<scale>thousand|million|billion|trillion)\b)?",
    re.IGNORECASE | re.ASCII,
)


def canonical(value: Fraction) -> str:
    """The canonical string of an exact value."""
    denominator = value.denominator
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > MAX_PLACES:
        return str(value)
    if not places:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def value_of(match: re.Match[str]) -> Fraction | None:
    """The exact value of a NUMBER match; None where it is too long, too large, or divides by
    zero.
    """
    if len(match.group()) > 2 * MAX_DIGITS or any(
        len(run) > MAX_DIGITS for run in re.findall(r"\d+", match.group())
    ):
        return None
    value = Fraction(match["value"].replace(",", ""))
    if match["exponent"]:
        if abs(int(match["exponent"])) > MAX_EXPONENT:
            return None
        value *= Fraction(10) ** int(match["exponent"])
    try:
        if match["denominator"]:
            value /= Fraction(match["denominator"])
        elif match["numerator"]:
            value += Fraction(int(match["numerator"]), int(match["part"]))
    except ZeroDivisionError:
        return None
    value *= SCALES[match["scale"].lower()] if match["scale"] else 1
    return -value if match["minus"] or match["minus_inside"] else value


def written(match: re.Match[str]) -> str | None:
    """`canonical(value_of(match))`, without the fractions where a number is a plain decimal: most
    are.
    """
    if (
        any(match.group("exponent", "over", "numerator", "scale"))
        or len(match.group()) > MAX_PLACES
    ):
        value = value_of(match)
        return None if value is None else canonical(value)
    whole, _, places = match["value"].replace(",", "").partition(".")
    places = places.rstrip("0")
    text = (whole.lstrip("0") or "0") + ("." + places if places else "")
    return "-" + text if text != "0" and (match["minus"] or match["minus_inside"]) else text


def first_number(text: str) -> str | None:
    """Canonical form of the first number in the text."""
    return next(
        (found for match in NUMBER.finditer(text) if (found := written(match)) is not None), None
    )


def last_number(text: str) -> str | None:
    """Canonical form of the last number in the text."""
    found = None
    for match in NUMBER.finditer(text):
        found = match
    return written(found) if found else None


@lru_cache(maxsize=1024)  # the answers of a question's chains are few
def parse(text: str) -> Fraction | None:
    """The value of a canonical number, or of any text that is one number."""
    match = NUMBER.fullmatch(text.strip())
    return value_of(match) if match else None
