"""Find numbers in running text, and write each number in one canonical form.

The canonical form is a plain decimal if the number has one with at most 40 places ("18", "0.5",
"-3.25"), else a reduced fraction ("1/3"). Units and currency signs are dropped. A percent sign
counts as a unit: "50%" is "50", because gold answers are written so.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

MAX_DIGITS = 60
"""Digits in a row. More of them are noise, and exact arithmetic on them takes most of the time."""
MAX_EXPONENT = 40
"""Of scientific notation. "1e999999" would fill the memory as an exact number."""
MAX_PLACES = 40
"""Decimal places of the canonical form. A longer decimal is harder to read than its fraction."""
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
DECIMAL = rf"(?:{DIGITS}(?:\.\d+)?|\.\d+)"
# No two parts of the pattern can match the same characters, so a search costs time linear in the
# text.
NUMBER = re.compile(
    # A minus belongs to the number unless an operand stands before it: "5 -3" but not "5-3".
    r"(?P<minus>(?<![\w.)\]%])[-\u2212])?(?:[$\u20ac\u00a3\u00a5]\s?)?"
    r"(?P<minus_inside>(?<=[$\u20ac\u00a3\u00a5])[-\u2212])?"
    rf"(?<![\w.])(?P<value>{DECIMAL})"
    # An exponent (1e3), a fraction (1/2) or the rest of a mixed number (1 1/2).
    r"(?:[eE](?P<exponent>[+-]?\d+)(?!\w)|(?P<over>\s?/\s?(?P<denominator>\d+(?:\.\d+)?)(?![\d/]))|"
    r"\s(?P<numerator>\d+)/(?P<part>\d+)(?![\d/]))?"
    r"(?:[ \u00a0-](?P<scale>thousand|million|billion|trillion)\b)?",
    re.IGNORECASE | re.ASCII,
)


def canonical(value: Fraction) -> str:
    """Return the canonical form of an exact value.

    Example:
        >>> canonical(Fraction(1, 2)), canonical(Fraction(1, 3))
        ('0.5', '1/3')
    """
    # A fraction is a finite decimal if its denominator has no prime factors but 2 and 5. The
    # larger of the two exponents is the number of decimal places.
    denominator = value.denominator
    twos = (denominator & -denominator).bit_length() - 1
    rest = denominator >> twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    places = max(twos, fives)
    if rest != 1 or places > MAX_PLACES:
        return str(value)
    if not places:
        return str(value.numerator)

    # The digits come from whole numbers: a float would round them.
    digits = str(abs(value.numerator) * 10**places // denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def value_of(match: re.Match[str]) -> Fraction | None:
    """Return the exact value of a NUMBER match.

    Returns None for a number that is too long or too large, or that divides by zero.
    """
    text = match.group()
    runs = re.findall(r"\d+", text)
    if len(text) > 2 * MAX_DIGITS or any(len(run) > MAX_DIGITS for run in runs):
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
    """Return `canonical(value_of(match))`, or None if there is no value.

    Most numbers are plain decimals. For them the text itself gives the canonical form, which is
    much faster than exact arithmetic.
    """
    is_plain = not any(match.group("exponent", "over", "numerator", "scale"))
    if not is_plain or len(match.group()) > MAX_PLACES:
        value = value_of(match)
        return None if value is None else canonical(value)

    whole, _, places = match["value"].replace(",", "").partition(".")
    places = places.rstrip("0")
    text = (whole.lstrip("0") or "0") + ("." + places if places else "")
    # "-0" is 0.
    return "-" + text if text != "0" and (match["minus"] or match["minus_inside"]) else text


def first_number(text: str) -> str | None:
    """Return the canonical form of the first number in the text, else None."""
    found = (written(match) for match in NUMBER.finditer(text))
    return next((number for number in found if number is not None), None)


def last_number(text: str) -> str | None:
    """Return the canonical form of the last number in the text, else None."""
    found = None
    for match in NUMBER.finditer(text):
        found = match
    return written(found) if found else None


# The chains of a question give few different answers, and each is parsed many times.
@lru_cache(maxsize=1024)
def parse(text: str) -> Fraction | None:
    """Return the value of a text that is one number and nothing else, else None."""
    match = NUMBER.fullmatch(text.strip())
    return value_of(match) if match else None
