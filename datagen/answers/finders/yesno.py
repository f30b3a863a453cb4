"""Find the yes or no that a text says, or the words that a question uses for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from datagen.answers.finders.candidates import RETRACTION
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
SUBJECT = re.compile(
    r"\s(?:it|he|she|they|the|there|this|that|these|those|you|we|i|a|an|not|his|her|its)\b",
    re.IGNORECASE,
)
"""What follows a "no" that is an answer of its own: "no it is not"."""
DENIAL = re.compile(r"\b(?:not|never|neither|no longer|hardly)\b|n't\b", re.IGNORECASE)
UNDECIDED = r"(?:\s(?:or|and|nor)|/|,)\s?"


class Patterns(NamedTuple):
    """The patterns for the two words of a question. Each has two groups: a "not", and the word."""

    word: re.Pattern[str]
    alone: re.Pattern[str]
    later: re.Pattern[str]
    leading: re.Pattern[str]
    closing: re.Pattern[str]
    both: re.Pattern[str]


@lru_cache(maxsize=64)
def patterns(pair: tuple[str, str]) -> Patterns:
    """Return the patterns for a pair of words."""
    words = "|".join(map(re.escape, dict.fromkeys(pair + SYNONYMS.get(pair, ()))))
    word = rf"\b(not\s)?({words})\b"
    forms = (
        rf"\W{{0,4}}{word}",
        rf"\W*{word}\W*",
        rf"(?:[.!?]\s|\n)\s{{0,4}}{word}(?=[,.:!])",
        rf"{LEAD}{word}(?P<end>{CLAUSE_END})?",
        word + CLAUSE_END,
        rf"{word}{UNDECIDED}{word}",
    )
    return Patterns(*(re.compile(form, re.IGNORECASE | re.MULTILINE) for form in forms))


def yesno_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the yes or no after a trigger, else None.

    It stands at the beginning, or at the end of a clause: "no" is also a determiner ("no apples").
    """
    forms = patterns(yesno_pair(options))
    alone = forms.alone.fullmatch(segment)
    if alone:
        return meaning(alone, options)
    first, mark = next(sentences(statement(segment)), ("", ""))
    found = stated(first, options) if mark != "?" else None
    if found or forms.both.search(first):
        return None if RETRACTION.search(segment) else found

    # "The answer is not that simple.\n\nNo, it is too cold."
    later = {meaning(match, options) for match in forms.later.finditer(segment)}
    return later.pop() if len(later) == 1 else None


def stated(sentence: str, options: Sequence[str]) -> str | None:
    """Return the answer that a sentence states, or None if it states none or both."""
    forms = patterns(yesno_pair(options))
    if forms.both.search(sentence):
        return None
    first = forms.leading.match(sentence)
    # "No scientific evidence", "no one knows"
    if first and (first["end"] is not None or not is_determiner(first, sentence)):
        return meaning(first, options)
    found = list(forms.closing.finditer(sentence))
    values = {meaning(match, options) for match in found}
    # "Not a simple yes"
    if len(values) != 1 or DENIAL.search(sentence[: found[0].start()]):
        return None
    return values.pop()


def is_determiner(match: re.Match[str], sentence: str) -> bool:
    """Return whether the "no" of a match belongs to a noun behind it."""
    return match[2].lower() == "no" and not SUBJECT.match(sentence, match.end())


def yesno_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the yes or no of a text without triggers, else None.

    A direct answer has it as its first word. Otherwise the last one that ends a clause counts,
    because "no" is also a determiner ("no apples").
    """
    forms = patterns(yesno_pair(options))
    if forms.word.match(text):
        return stated(next(sentences(text.strip()[:MAX_SEGMENT]))[0], options)

    last = None
    for match in forms.closing.finditer(text):
        last = match
    if last is None:
        return None
    # "yes or no"
    start = max(0, last.start() - 24)
    is_open = any(match.end() == last.end(2) for match in forms.both.finditer(text, start))
    return None if is_open else meaning(last, options)


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
