"""How filters compare texts: plain form, phrases, and answers that are not finished."""

from __future__ import annotations

import re
from collections.abc import Iterable

from datagen.prompts.language import Language
from datagen.teacher.base import Completion


def unfinished(completion: Completion) -> str | None:
    if completion.finish_reason == "length":
        return "truncated"
    return None if completion.text.strip() else "empty"


def plain(text: str) -> str:
    """Lower case, single spaces, straight apostrophes."""
    return " ".join(text.casefold().replace("’", "'").split())


def beginning(words: Iterable[str]) -> re.Pattern[str]:
    """A text whose first word is one of these."""
    return re.compile(rf"\W*(?:{either(words)})(?!\w)")


def either(words: Iterable[str]) -> str:
    """Alternatives, the longest first; of no words, what matches nothing."""
    return (
        "|".join(re.escape(plain(word)) for word in sorted(words, key=len, reverse=True)) or r"(?!)"
    )


def phrases(words: Iterable[str], language: Language) -> re.Pattern[str]:
    """Finds any of these phrases: as whole words, but anywhere in a script without spaces."""
    found = either(words)
    return re.compile(found if language.by_characters else rf"(?<!\w)(?:{found})(?!\w)")
