"""Find the yes or no that a text says, or the words that a question uses for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datagen.answers.lines import first_line

SYNONYMS = {("yes", "no"): ("yes", "no"), ("true", "false"): ("yes", "no")}
"""Further words that a text may use, by the words of the question. A model often answers a
true/false question with yes or no. For other pairs, such as valid and invalid, "no" is too likely
to be an ordinary word."""


def yesno_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the first yes or no after a trigger, else None."""
    match = re.search(pattern_of(options), first_line(segment), re.IGNORECASE)
    return match and meaning(match, options)


def yesno_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the yes or no of a text without triggers, else None.

    A direct answer has it as its first word. Otherwise the last one that ends a clause counts,
    because "no" is also a determiner ("no apples").
    """
    pattern = pattern_of(options)
    first = re.match(rf"\W{{0,4}}{pattern}", text, re.IGNORECASE)
    if first:
        return meaning(first, options)

    clause_end = r"(?=[.,;!)\"']|\s{0,4}$)"
    found = list(re.finditer(pattern + clause_end, text, re.IGNORECASE))
    return meaning(found[-1], options) if found else None


def pattern_of(options: Sequence[str]) -> str:
    """Return a pattern with two groups: a "not" before the word, and the word."""
    pair = yesno_pair(options)
    words = dict.fromkeys(pair + SYNONYMS.get(pair, ()))
    return rf"\b(not\s)?({'|'.join(re.escape(word) for word in words)})\b"


def yesno_pair(options: Sequence[str]) -> tuple[str, str]:
    """Return the two answers in lower case, the affirmative first."""
    if len(options) != 2:
        return "yes", "no"
    affirmative, negative = (option.strip().lower() for option in options)
    return affirmative, negative


def meaning(match: re.Match[str], options: Sequence[str]) -> str:
    """Return the answer that a match of `pattern_of` means: "not true" means "false"."""
    pair = yesno_pair(options)
    affirmative = match[2].lower() in (pair[0], "yes")
    negated = bool(match[1])
    return pair[affirmative == negated]
