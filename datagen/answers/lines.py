"""Split a text into lines and sentences, and bring a short answer into one form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from datagen.answers.characters import plain

SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
ABBREVIATION = re.compile(
    r"(?:^|\W)(?:mrs?|ms|dr|prof|st|rs|fr|no|vs|approx|ca|cf|etc|jr|sr|fig|eq|i\.e|e\.g|a\.m|p\.m|"
    r"u\.s|resp)$",
    re.IGNORECASE,
)
"""A word whose full stop ends no sentence."""

QUOTES = "\"'`\u201c\u201d\u2018\u2019"

MAX_SEGMENT = 2000
"""Characters that are read after a trigger. Answers are short, and the limit bounds the time that
a hostile text can cost."""


def first_line(text: str) -> str:
    """Return the first line that is not blank, without spaces around it."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def statement(text: str) -> str:
    """Return the first line that is not blank, and the next one if it ends in a colon."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])


def sentences(line: str) -> Iterator[tuple[str, str]]:
    """Yield each sentence of a line without its last mark, and that mark ("" at the end)."""
    start = 0
    for end in SENTENCE_END.finditer(line):
        if not ABBREVIATION.search(line[max(start, end.start() - 8) : end.start()]):
            yield line[start : end.start()], end[0]
            start = end.end()
    if line[start:].strip():
        yield line[start:], ""


def normalise_text(text: str) -> str:
    """Return a short answer in lower case, without quotes, final stop and commas between words.

    Example:
        >>> normalise_text('"Paris, France".'), normalise_text("]]>")
        ('paris france', '] ] >')
    """
    text = plain(text)
    # The stop may stand before or after the closing quote.
    text = text.strip().rstrip(".").strip().strip(QUOTES + "*").strip().rstrip(".").strip()

    # Sequences of brackets are answers of the BBH task dyck_languages, which spaces them.
    if text and not any(character.isalnum() for character in text):
        return " ".join(character for character in text if not character.isspace())
    return " ".join(text.lower().replace(", ", " ").split())
