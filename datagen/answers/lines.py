"""Split a text into lines and sentences, and bring a short answer into one form."""

from __future__ import annotations

import re

SENTENCE_END = re.compile(r"[.!?](?=\s|$)")

QUOTES = "\"'`\u201c\u201d\u2018\u2019"

MAX_SEGMENT = 2000
"""Characters that are read after a trigger. Answers are short, and the limit bounds the time that
a hostile text can cost."""


def first_line(text: str) -> str:
    """Return the first line that is not blank, without spaces around it."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def first_sentence(line: str) -> str:
    """Return the first sentence of a line, without its final mark."""
    end = SENTENCE_END.search(line)
    return line[: end.start()] if end else line


def normalise_text(text: str) -> str:
    """Return a short answer in lower case, without quotes, final stop and commas between words.

    Example:
        >>> normalise_text('"Paris, France".'), normalise_text("]]>")
        ('paris france', '] ] >')
    """
    # The stop may stand before or after the closing quote.
    text = text.strip().rstrip(".").strip().strip(QUOTES).strip().rstrip(".").strip()

    # Sequences of brackets are answers of the BBH task dyck_languages, which spaces them.
    if text and not any(character.isalnum() for character in text):
        return " ".join(character for character in text if not character.isspace())
    return " ".join(text.lower().replace(", ", " ").split())
