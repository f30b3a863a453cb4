"""The yes or no that a text says, or the word that a question takes for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datagen.answers.lines import first_line

SYNONYMS = {("yes", "no"): ("yes", "no"), ("true", "false"): ("yes", "no")}


def yesno_after(segment: str, options: Sequence[str]) -> str | None:
    match = re.search(
        rf"\b(not\s)?({'|'.join(yesno_words(options))})\b", first_line(segment), re.IGNORECASE
    )
    return match and yesno(match, options)


def yesno_anywhere(text: str, options: Sequence[str]) -> str | None:
    """The first word, as direct answers have it; else the last one that ends a clause: "no" is a
    determiner too.
    """
    pattern = rf"\b(not\s)?({'|'.join(yesno_words(options))})\b"
    first = re.match(rf"\W{{0,4}}{pattern}", text, re.IGNORECASE)
    found = (
        [first]
        if first
        else list(re.finditer(rf"{pattern}(?=[.,;!)\"']|\s{{0,4}}$)", text, re.IGNORECASE))
    )
    return yesno(found[-1], options) if found else None


def yesno_pair(options: Sequence[str]) -> tuple[str, str]:
    """The two answers in lower case, the affirmative first."""
    return (
        (options[0].strip().lower(), options[1].strip().lower())
        if len(options) == 2
        else ("yes", "no")
    )


def yesno_words(options: Sequence[str]) -> tuple[str, ...]:
    pair = yesno_pair(options)
    return tuple(re.escape(word) for word in dict.fromkeys(pair + SYNONYMS.get(pair, ())))


def yesno(match: re.Match[str], options: Sequence[str]) -> str:
    pair = yesno_pair(options)
    affirmative = match[2].lower() in (pair[0], "yes")
    return pair[affirmative == bool(match[1])]
