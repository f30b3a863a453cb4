"""Find the yes or no that a text says, or the words that a question uses for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datagen.answers.candidates import RETRACTION
from datagen.answers.lines import MAX_SEGMENT, sentences, statement

SYNONYMS = {("yes", "no"): ("yes", "no"), ("true", "false"): ("yes", "no")}
"""Further words that a text may use, by the words of the question. A model often answers a
true/false question with yes or no. For other pairs, such as valid and invalid, "no" is too likely
to be an ordinary word."""
LEAD = (
    r"\W{0,4}(?:(?:probably|likely|most likely|definitely|clearly|surely|therefore|thus|so|simply|"
    r"actually|a|an?|the|resounding|clear|indeed|that it is|argument is|the "
    r"argument is|it is)\W{1,3}){0,4}"
)
CLAUSE_END = r"(?=\W{0,3}(?:$|[.,;:!)\"'\n-]|\s(?:because|since|as|for|but|and|or|if|due)\b))"
UNDECIDED = r"(?:\s(?:or|and|nor)|/|,)\s?"


def yesno_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the yes or no after a trigger, else None.

    It stands at the beginning, or at the end of a clause: "no" is also a determiner ("no apples").
    """
    for sentence, mark in sentences(statement(segment)):
        if mark != "?":
            return None if RETRACTION.search(segment) else stated(sentence, options)
    return None


def stated(sentence: str, options: Sequence[str]) -> str | None:
    """Return the answer that a sentence states, or None if it states none or both."""
    word = pattern_of(options)
    if re.search(rf"{word}{UNDECIDED}{word}", sentence, re.IGNORECASE):
        return None
    first = re.match(rf"{LEAD}{word}(?P<end>{CLAUSE_END})?", sentence, re.IGNORECASE)
    # "No scientific evidence", "no one knows"
    if first and (first["end"] is not None or not is_determiner(first, sentence)):
        return meaning(first, options)
    found = list(re.finditer(word + CLAUSE_END, sentence, re.IGNORECASE))
    values = {meaning(match, options) for match in found}
    return values.pop() if len(values) == 1 else None


def is_determiner(match: re.Match[str], sentence: str) -> bool:
    """Return whether the "no" of a match belongs to a noun behind it."""
    subject = (
        r"\s(?:it|he|she|they|the|there|this|that|these|those|you|we|i|a|an|not|his|her|its)\b"
    )
    return match[2].lower() == "no" and not re.match(
        subject, sentence[match.end() :], re.IGNORECASE
    )


def yesno_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the yes or no of a text without triggers, else None.

    A direct answer has it as its first word. Otherwise the last one that ends a clause counts,
    because "no" is also a determiner ("no apples").
    """
    opening = next(sentences(text.strip()[:MAX_SEGMENT]), ("", ""))[0]
    pattern = pattern_of(options)
    if re.match(rf"\W{{0,4}}{pattern}", opening, re.IGNORECASE):
        return stated(opening, options)

    found = list(re.finditer(pattern + CLAUSE_END, text, re.IGNORECASE | re.MULTILINE))
    if not found or is_open(text, found[-1], pattern):
        return None
    return meaning(found[-1], options)


def is_open(text: str, last: re.Match[str], pattern: str) -> bool:
    """Return whether the other answer stands beside the last one: "yes or no"."""
    before = text[max(0, last.start() - 24) : last.start()]
    return bool(re.search(rf"{pattern}{UNDECIDED}$", before, re.IGNORECASE))


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
