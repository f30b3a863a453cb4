"""What the filters count as a word."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from datagen.errors import UserError

ASCII_WORD = re.compile(r"[a-z0-9]+")
SPACELESS = "".join(
    rf"\p{{{script}}}"
    for script in (
        "Han",
        "Hiragana",
        "Katakana",
        "Hangul",
        "Bopomofo",
        "Thai",
        "Lao",
        "Khmer",
        "Myanmar",
    )
)
"""Scripts whose letters are a token each: written without spaces between words, or (hangul) a
syllable a letter."""

ALPHABETS = ("ascii", "unicode")


def tokens(text: str, alphabet: str = "ascii") -> list[str]:
    """The tokens of a text. Raises UserError for an unknown alphabet.

    "ascii": as `rouge_score` without the stemmer (lower case, runs of a-z and 0-9); everything else
    separates, so that a text in another script leaves nothing. "unicode": runs of letters, marks
    and digits of any script, in lower case after NFKC; in scripts without spaces between words
    every letter is a token.
    """
    if alphabet == "ascii":
        return ASCII_WORD.findall(text.lower())
    if alphabet == "unicode":
        found: list[str] = unicode_word().findall(unicodedata.normalize("NFKC", text).lower())
        return found
    raise UserError(f"alphabet {alphabet!r}: there are {', '.join(ALPHABETS)}")


@cache
def unicode_word() -> Any:
    import regex  # knows scripts, which `re` does not; transformers needs it as well

    word = r"[\p{L}\p{M}\p{N}]"
    return regex.compile(rf"(?V1)[{SPACELESS}&&{word}]\p{{M}}*+|[{word}--[{SPACELESS}]]++")
