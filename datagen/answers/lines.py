"""Lines and sentences of a text."""

from __future__ import annotations

import re

SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


QUOTES = "\"'`\u201c\u201d\u2018\u2019"


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def first_sentence(line: str) -> str:
    end = SENTENCE_END.search(line)
    return line[: end.start()] if end else line


def normalise_text(text: str) -> str:
    """Lower case; no quotes around, no final stop, no commas between words; brackets alone are
    spaced, as "] ] >".
    """
    text = text.strip().rstrip(".").strip().strip(QUOTES).strip().rstrip(".").strip()
    if text and not any(character.isalnum() for character in text):
        return " ".join(character for character in text if not character.isspace())
    return " ".join(text.lower().replace(", ", " ").split())


MAX_SEGMENT = 2000
"""Characters after a trigger that are looked at: an answer is short, and time is bounded."""
