"""How filters read texts: plain form, phrases, and answers that are not finished."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from datagen.prompts.language import Language
from datagen.teacher.base import Completion

NOTHING = r"(?!)"
"""A pattern that matches nothing, for an empty word list."""


def text_of(turns: Sequence[Mapping[str, str]]) -> str:
    """Return what user and assistant said. System prompts are left out: many rows share them."""
    return "\n".join(turn["content"] for turn in turns if turn["role"] != "system")


def unfinished(completion: Completion) -> str | None:
    """Return "truncated" for a text that was cut off, "empty" for no text, or None."""
    if completion.finish_reason == "length":
        return "truncated"
    return None if completion.text.strip() else "empty"


def plain(text: str) -> str:
    """Return a text in lower case, with single spaces and straight apostrophes."""
    return " ".join(text.casefold().replace("’", "'").split())


def beginning(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for a text whose first word is one of these."""
    return re.compile(rf"\W*(?:{either(words)})(?!\w)")


def phrases(words: Iterable[str], language: Language) -> re.Pattern[str]:
    """Return a pattern that finds any of these phrases.

    Phrases match whole words. In a script without spaces they match anywhere.
    """
    found = either(words)
    return re.compile(found if language.by_characters else rf"(?<!\w)(?:{found})(?!\w)")


def either(words: Iterable[str]) -> str:
    """Return a pattern for any one of the words, in plain form."""
    # the longest first: otherwise "no" would hide "no way"
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(plain(word)) for word in longest_first) or NOTHING
