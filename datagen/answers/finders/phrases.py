"""Find the words that a text gives as its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datagen.answers import latex
from datagen.answers.lines import ABBREVIATION, MAX_SEGMENT, QUOTES, normalise_text, statement

SENTENCE_BREAK = re.compile(r"(\S+)[.!?]\s+(?=[A-Z\"'(])")
STARTER = re.compile(
    r"\s+(?:The|They|Then|So|It|I|This|That|He|She|We|You|There|Therefore|Thus|But|And)\b"
)
"""Words that begin a sentence, even behind an abbreviation: "at 9 p.m. Then they left"."""
CLOSING = re.compile(rf"[{QUOTES}](?!\w)")


def text_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the quotation or the first sentence that a segment begins with, else None."""
    line = statement(latex.plain(segment))

    # A quoted answer ends at its closing quote, whatever is said after it or stops within it.
    closing = CLOSING.search(line, 1) if line and line[0] in QUOTES else None
    if closing:
        return normalise_text(line[: closing.end()]) or None

    for stop in SENTENCE_BREAK.finditer(line):
        if not is_abbreviation(stop[1]) or STARTER.match(line, stop.end(1) + 1):
            line = line[: stop.end(1)]
            break
    return normalise_text(line) or None


def is_abbreviation(word: str) -> bool:
    """Return whether a word before a full stop is one such as "Dr" or "U.S"."""
    word = word.strip(QUOTES)
    return bool(ABBREVIATION.search(word)) or (len(word) <= 3 and word[:1].isupper())


def text_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return a text that is a single short line, else None."""
    text = text.strip()
    return normalise_text(text) or None if "\n" not in text and len(text) <= MAX_SEGMENT else None
