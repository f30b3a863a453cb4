"""Bring the characters of a text into plain forms: digits, signs, spaces, quotation marks."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache

SAME_LENGTH: dict[int, str] = str.maketrans(
    {
        # Minus signs, and the dashes that people type in their place.
        "\u2212": "-",
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\ufe63": "-",
        "\uff0d": "-",
        "\u2044": "/",
        "\u2215": "/",
        "\uff0f": "/",
        # Spaces between groups of digits: no-break, narrow no-break, thin, figure space.
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u2007": " ",
        "\u066b": ".",
        "\u066c": ",",
    }
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02\u300c\u300d\u300e\u300f", '"')
)
"""One character for one, so that places in the text stay."""
LONGER = str.maketrans({"\u2014": ", ", "\u3001": ", ", "\uff0c": ", ", "\u3002": ". "})
"""A dash between clauses, and the commas and stops of Chinese and Japanese."""
POWER = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b]+")
VULGAR = re.compile("(\\d?)([\u00bc-\u00be\u2150-\u215e])")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0f\ufeff]")


def plain(text: str) -> str:
    """Return the text in Unicode form NFKC, with ASCII digits, signs and quotation marks.

    A power keeps its mark and a vulgar fraction its value.

    Example:
        >>> plain("\u221210\u00b2"), plain("2\u00bd cups"), plain("caf\u0065\u0301") == "caf\u00e9"
        ('-10^2', '2 1/2 cups', True)
    """
    if text.isascii():
        return text
    text = POWER.sub(lambda match: "^" + unicodedata.normalize("NFKC", match[0]), text)
    text = VULGAR.sub(vulgar_fraction, INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFKC", text.translate(LONGER))
    return same_length(text)


def same_length(text: str) -> str:
    """Return the text with ASCII digits, signs, spaces and quotation marks, each at its place."""
    return text if text.isascii() else text.translate(same_length_table())


def vulgar_fraction(match: re.Match[str]) -> str:
    """Return a match of VULGAR as 1/2, or as 2 1/2 if a digit stands before it."""
    space = " " if match[1] else ""
    return match[1] + space + unicodedata.normalize("NFKC", match[2])


@lru_cache(maxsize=1)
def same_length_table() -> dict[int, str]:
    """Return SAME_LENGTH, and the decimal digits of all scripts as ASCII digits."""
    table: dict[int, str] = dict(SAME_LENGTH)
    for code in range(0x80, sys.maxunicode + 1):
        digit = unicodedata.decimal(chr(code), None)
        if digit is not None:
            table[code] = str(digit)
    return table
