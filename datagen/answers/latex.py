"""Read numbers written in LaTeX, with the library math-verify.

math-verify limits its time with a signal, which works in the main thread alone. Here the input is
limited instead: short, not deeply nested, a fixed set of commands, one small exponent. An
expression outside these limits is no answer.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from functools import lru_cache

from datagen.answers import numbers

MAX_LENGTH = 160
"""Characters of an expression. A final answer is shorter; a longer text is a calculation."""
MAX_DEPTH = 4
"""Nested brackets. The parser's time grows with the depth."""
MAX_RUN = 18
"""Digits in a row. A longer number does not fit 64 bits, and is noise in practice."""
# Only commands that make up numbers. `\int`, `\sum` and others could run without end.
COMMANDS = {
    "frac",
    "dfrac",
    "tfrac",
    "cfrac",
    "sqrt",
    "cdot",
    "times",
    "div",
    "left",
    "right",
    "pi",
    "quad",
}
STRUCTURE = re.compile(r"\\(?:[dtc]?frac|sqrt|times|cdot|div|pi)\b|\^")
SPACING = re.compile(r"\\[,;:! ]|~")
DELIMITERS = re.compile(r"\\[()\[\]]")
WRAPPED = re.compile(
    r"\\(?:text|textrm|textit|mathrm|textbf|mathbf|mathit|boldsymbol|mbox|operatorname)[ ]?"
    r"\{([^{}\\]*)\}"
)
DEGREES = re.compile(r"\^[ ]?\{?[ ]?\\circ[ ]?\}?|\\degree\b|\\displaystyle\b")
UNIT_POWER = re.compile(
    r"\b(mm|cm|dm|m|km|in|ft|yd|mi|inches|feet|met(?:er|re)s?|units?)[ ]?\^[ ]?\{?[23]\}?"
)
SIGNS = {"{,}": ",", "\\$": "$", "\\%": "%", "\\approx": "=", "\\pm": "\u00b1", "\\leq": "\u2264"}
SIGNS |= {"\\geq": "\u2265", "\\neq": "\u2260", "\\to": "\u2192", "\\Rightarrow": "\u21d2"}
FRACTION = re.compile(
    r"(?P<whole>(?<=\d))?[ ]?\\[dtc]?frac[ ]?\{[ ]?(-?\d[\d,]*)[ ]?\}[ ]?\{[ ]?(\d+)[ ]?\}"
)


def plain(text: str) -> str:
    r"""Return the text without LaTeX markup that plain text does not need.

    Spacing commands, `\$`, `\%`, `{,}` and `\text{...}` are replaced. A fraction of whole numbers
    such as `\frac{3}{4}` becomes 3/4.
    """
    # Nearly all texts leave here.
    if "\\" not in text and "{,}" not in text:
        return text
    for command, sign in SIGNS.items():
        text = text.replace(command, sign)
    text = WRAPPED.sub(r" \1 ", DELIMITERS.sub(" ", SPACING.sub("", text)))
    text = UNIT_POWER.sub(r"\1", DEGREES.sub("", text))
    # Two spaces would part what stands side by side.
    text = re.sub(r"[ ]{2,}", " ", text)
    return FRACTION.sub(plain_fraction, text)


def plain_fraction(match: re.Match[str]) -> str:
    r"""Return a match of FRACTION as 3/4, with a space before it in a mixed number (`2\frac..`)."""
    space = "" if match["whole"] is None else " "
    return f"{space}{match[2]}/{match[3]}"


# A chain that repeats itself repeats its answer.
@lru_cache(maxsize=1024)
def number(text: str) -> str | None:
    """Return the canonical number of a short LaTeX expression, else None.

    Irrational values are rounded to 12 significant digits.
    """
    text = plain(text).strip().strip("$").strip()
    text = text.rpartition("=")[2].strip().rstrip(".").rstrip("$%")
    if not text or not within_bounds(text):
        return None

    # math-verify imports sympy, which is slow. Few texts hold LaTeX.
    from math_verify import LatexExtractionConfig, parse

    # It would warn on every call that its own time limit is switched off.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    parsed = parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=0, raise_on_error=False)
    return from_sympy(parsed[0]) if parsed else None


def within_bounds(text: str) -> bool:
    """Return whether an expression is small enough to be evaluated in bounded time."""
    # Factorials and towers of powers are short to write and take for ever to compute.
    if len(text) > MAX_LENGTH or "!" in text or text.count("^") > 1:
        return False
    if any(len(run) > MAX_RUN for run in re.findall(r"\d+", text)):
        return False
    if any(len(power.strip("{}- ")) > 2 for power in re.findall(r"\^\s*(\{[^{}]*\}?|.)", text)):
        return False

    return set(re.findall(r"\\([A-Za-z]+)", text)) <= COMMANDS and depth(text) <= MAX_DEPTH


def depth(text: str) -> int:
    """Return how deep the brackets of a text are nested."""
    now = deepest = 0
    for character in text:
        now += (character in "{([") - (character in "})]")
        deepest = max(deepest, now)
    return deepest


def from_sympy(value: object) -> str | None:
    """Return the canonical number of a sympy expression without symbols, else None."""
    import sympy  # type: ignore[import-untyped]

    if not isinstance(value, sympy.Expr) or value.free_symbols:
        return None
    exact = value.doit()
    if isinstance(exact, sympy.Rational):
        small = abs(exact.p) < 10**numbers.MAX_DIGITS
        return numbers.canonical(Fraction(int(exact.p), int(exact.q))) if small else None

    # 20 digits leave 8 guard digits for the 12 that are kept.
    approximate = exact.evalf(20, maxn=60)
    if not approximate.is_Float or not abs(approximate) < 10**MAX_RUN:
        return None
    return numbers.canonical(Fraction(f"{float(approximate):.12g}"))
