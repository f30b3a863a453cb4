"""Find numbers in running text, and write each number in one canonical form.

The canonical form is a plain decimal if the number has one with at most 40 places ("18", "0.5",
"-3.25"), else a reduced fraction ("1/3"). Units and currency signs are dropped. A percent sign
counts as a unit: "50%" is "50", because gold answers are written so.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from datagen.answers.characters import plain
from datagen.answers.digits import RUN, plain_decimal

MAX_DIGITS = 60
"""Digits in a row. More of them are noise, and exact arithmetic on them takes most of the time."""
MAX_EXPONENT = 40
"""Of scientific notation. "1e999999" would fill the memory as an exact number."""
MAX_PLACES = 40
"""Decimal places of the canonical form. A longer decimal is harder to read than its fraction."""
MAX_POWER = 40
"""Of a power such as 2^10. Its base has at most MAX_BASE digits."""
MAX_BASE = 12
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
SCALES |= {"trillion": 10**12, "lakh": 10**5, "lac": 10**5, "crore": 10**7}
SCALES |= {"k": 10**3, "mn": 10**6, "m": 10**6, "bn": 10**9, "b": 10**9}
PARTS = {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4)}
PARTS |= {"thirds": Fraction(2, 3), "quarters": Fraction(3, 4)}

SYMBOL = "[$\u20a0-\u20c0\u00a2-\u00a5\u0e3f]"
CODE = r"(?<![A-Za-z])(?:USD|EUR|GBP|CHF|INR|JPY|CNY|RMB|Rs|Fr|kr)\.?"
# No two parts of the pattern can match the same characters, so a search costs time linear in the
# text.
NUMBER = re.compile(
    # Most characters cannot begin a number. The search is fast because it skips them here.
    r"(?=[-\u2212.\d$\u20a0-\u20c0\u00a2-\u00a5\u0e3fMmNnUEGCIJRFk])"
    # A minus belongs to the number unless an operand stands before it: "5 -3" but not "5-3", "minus
    # 3" but not "5 minus 3".
    r"(?P<minus>(?<![\w.)\]%])[-\u2212]|(?<![\d)\]%][ ])\b(?:[Mm]inus|[Nn]egative)[ ])?"
    rf"(?:(?P<currency>{SYMBOL}|{CODE})\s?(?P<minus_inside>[-\u2212])?|(?<![\w.^]))(?P<value>{RUN})"
    # An exponent (1e3), a fraction (1/2), or the rest of a mixed number (1 1/2, 1 and a half).
    r"(?:[eE](?P<exponent>[+-]?\d+)(?!\w)|"
    r"(?P<over>\s?/\s?(?P<denominator>\d+(?:,\d{3})*(?:\.\d+)?)(?![\d/]|[.,]\d))|"
    r"(?:\s|\sand\s)(?P<numerator>\d+)/(?P<part>\d+)(?![\d/])|"
    r"\sand\s(?:(?:a|one)[ -](?P<one_part>half|third|quarter)|"
    r"(?:two|three)[ -](?P<parts>thirds|quarters))\b|"
    # A power (2^10), or a power of ten as a factor (3 x 10^8).
    r"\s?\^\s?\{?(?P<power>-?\d+)\}?(?!\w)|"
    r"\s?[x*\u00d7\u22c5\u00b7]\s?10\s?\^\s?\{?(?P<tens>-?\d+)\}?(?!\w))?"
    r"(?:[ \u00a0-](?i:(?P<scale>hundred|thousand|million|billion|trillion|lakh|lac|crore)s?\b)|"
    r"(?P<suffix>[kKMB]|bn|mn|(?(currency)[mb]|(?!)))(?![\w'-]))?",
    re.ASCII,
)
SPECIAL = ("exponent", "over", "numerator", "one_part", "parts", "power", "tens", "scale", "suffix")
DIGITS = re.compile(r"\d+")


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

    Returns None for a number that is too long or too large, that divides by zero, or whose groups
    of digits follow no convention.
    """
    text = match.group()
    if len(text) > 2 * MAX_DIGITS or any(len(run) > MAX_DIGITS for run in DIGITS.findall(text)):
        return None
    decimal = plain_decimal(match["value"])
    if decimal is None:
        return None

    value = with_part(with_power(Fraction(decimal), match), match)
    if value is None:
        return None
    scale = match["scale"] or match["suffix"]
    value *= SCALES[scale.lower()] if scale else 1
    return -value if match["minus"] or match["minus_inside"] else value


def with_power(value: Fraction, match: re.Match[str]) -> Fraction | None:
    """Return the value with the match's exponent or power applied, or None if it is too large."""
    if match["power"]:
        small = abs(int(match["power"])) <= MAX_POWER and len(match["value"]) <= MAX_BASE
        # 0 has no negative power.
        return value ** int(match["power"]) if small and value else None
    exponent = int(match["exponent"] or match["tens"] or 0)
    return value * Fraction(10) ** exponent if abs(exponent) <= MAX_EXPONENT else None


def with_part(value: Fraction | None, match: re.Match[str]) -> Fraction | None:
    """Return the value with the fraction that stands behind it, or None if it has no value."""
    if value is None:
        return None
    if match["one_part"] or match["parts"]:
        return value + PARTS[(match["one_part"] or match["parts"]).lower()]
    if match["denominator"]:
        below = Fraction(match["denominator"].replace(",", ""))
        return value / below if below else None
    if match["numerator"]:
        # "12 7/2" is rather two numbers side by side than a mixed number.
        proper = int(match["numerator"]) < int(match["part"]) and value.denominator == 1
        return value + Fraction(int(match["numerator"]), int(match["part"])) if proper else None
    return value


def written(match: re.Match[str]) -> str | None:
    """Return `canonical(value_of(match))`, or None if there is no value.

    Most numbers are plain decimals. For them the text itself gives the canonical form, which is
    much faster than exact arithmetic.
    """
    if any(match.group(*SPECIAL)) or len(match.group()) > MAX_PLACES:
        value = value_of(match)
        return None if value is None else canonical(value)

    decimal = plain_decimal(match["value"])
    if decimal is None:
        return None
    whole, _, places = decimal.partition(".")
    places = places.rstrip("0")
    text = (whole.lstrip("0") or "0") + ("." + places if places else "")
    # "-0" is 0.
    return "-" + text if text != "0" and (match["minus"] or match["minus_inside"]) else text


# The chains of a question give few different answers, and each is parsed many times.
@lru_cache(maxsize=1024)
def parse(text: str) -> Fraction | None:
    """Return the value of a text that is one number and nothing else, else None."""
    match = NUMBER.fullmatch(plain(text).strip())
    return value_of(match) if match else None
