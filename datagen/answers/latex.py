"""Numbers written in LaTeX, through math-verify, with hard bounds on what it is handed.

math-verify bounds its time with a signal, which works in the main thread alone. Here the bound is
on the input instead: short, shallow, a fixed set of commands, one small exponent. What is outside
the bound is no answer.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from functools import lru_cache

from datagen.answers import numbers

MAX_LENGTH = 160
MAX_DEPTH = 4
MAX_RUN = 18  # digits in a row
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
WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox)[ ]?\{([^{}\\]*)\}")
FRACTION = re.compile(
    r"(?P<whole>(?<=\d))?[ ]?\\[dtc]?frac[ ]?\{[ ]?(-?\d[\d,]*)[ ]?\}[ ]?\{[ ]?(\d+)[ ]?\}"
)


def plain(text: str) -> str:
    r"""The text without its LaTeX: `\frac{3}{4}` as 3/4.

    Spacing, `\$`, `\%`, `{,}` and `\text{...}` wrappers are taken off.
    """
    if "\\" not in text and "{,}" not in text:
        return text
    text = text.replace("{,}", ",").replace("\\$", "$").replace("\\%", "%").replace("\\approx", "=")
    text = WRAPPED.sub(r" \1 ", DELIMITERS.sub(" ", SPACING.sub("", text)))
    return FRACTION.sub(
        lambda match: f"{'' if match['whole'] is None else ' '}{match[2]}/{match[3]}", text
    )


@lru_cache(maxsize=1024)  # a chain that repeats itself, repeats its answer
def number(text: str) -> str | None:
    """Canonical number of a short LaTeX expression, or None.

    Irrational values are rounded to 12 significant digits.
    """
    text = plain(text).strip().strip("$").strip()
    text = text.rpartition("=")[2].strip().rstrip(".").rstrip("$%")
    if not text or not within_bounds(text):
        return None
    from math_verify import (
        LatexExtractionConfig,
        parse,
    )  # slow to import (sympy): only when a text holds LaTeX

    logging.getLogger("math_verify").setLevel(
        logging.ERROR
    )  # it warns that its own time bound is off
    parsed = parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=0, raise_on_error=False)
    return from_sympy(parsed[0]) if parsed else None


def within_bounds(text: str) -> bool:
    """Whether the text is short, shallow, of known commands, and has no power or factorial that
    could grow large.
    """
    if len(text) > MAX_LENGTH or "!" in text or text.count("^") > 1:
        return False
    if any(len(run) > MAX_RUN for run in re.findall(r"\d+", text)):
        return False
    if any(len(power.strip("{}- ")) > 2 for power in re.findall(r"\^\s*(\{[^{}]*\}?|.)", text)):
        return False
    return set(re.findall(r"\\([A-Za-z]+)", text)) <= COMMANDS and depth(text) <= MAX_DEPTH


def depth(text: str) -> int:
    """How deep the brackets are nested."""
    now = deepest = 0
    for character in text:
        now += (character in "{([") - (character in "})]")
        deepest = max(deepest, now)
    return deepest


def from_sympy(value: object) -> str | None:
    """Canonical number of a sympy expression without symbols."""
    import sympy  # type: ignore[import-untyped]

    if not isinstance(value, sympy.Expr) or value.free_symbols:
        return None
    exact = value.doit()
    if isinstance(exact, sympy.Rational):
        return (
            numbers.canonical(Fraction(int(exact.p), int(exact.q)))
            if abs(exact.p) < 10**60
            else None
        )
    approximate = exact.evalf(20, maxn=60)
    if not approximate.is_Float or not abs(approximate) < 10**MAX_RUN:
        return None
    return numbers.canonical(Fraction(f"{float(approximate):.12g}"))
