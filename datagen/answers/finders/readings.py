"""Read one number of a sentence, whole or not at all, and see what stands beside it."""

from __future__ import annotations

import re

from datagen.answers import words
from datagen.answers.finders.candidates import Candidate
from datagen.answers.numbers import canonical, written

# What makes a number a part of something else.
MONTH = (
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|January|February|March|April|May|June|"
    r"July|"
    r"August|September|October|November|December)"
)
CUT_AFTER = re.compile(
    r":\d|\s:\s?\d|\s?/\s?\d|[exyznijD\u03c0](?![\w'])|h\d|\s?[\u221a\u03c0\u00b1]|\s?\+/-|-\d|"
    r"\s[xy](?!\w)|\s?[-+*/^\u00d7\u00f7]\s?[xyzn](?!\w)|'\s?\d|"
    rf"\s(?:squared|cubed|out of \d|in \d|to the power|(?:of )?{MONTH}\b|(?:{words.WORD})\b)"
)
CUT_BEFORE = re.compile(
    r"(?:(?:(?<![-=<>])[<>]|[\u2264\u2265\u2260\u00b1\u221a]|\+/-|\d:|\d\s:\s|\d/|\w-|"
    r"(?<![\w'])[xyzn]\s?[-+*/]|"
    r"(?:more|less|fewer|greater|larger|smaller|bigger|higher|lower)\sthan|"
    rf"\bof\s(?:the|these|those))\s?[$(]?|\b{MONTH}\.?\s)$"
)
OPERATED_AFTER = re.compile(
    r"\)?\s?(?:[-+*\u00d7\u00f7\u22c5\u00b7]\s?[$(]*[-\d(]|x\s?[$(]*\d|"
    r"(?:plus|minus|times|(?:multiplied|divided) by|(?:less|more|fewer|greater) than)\s[$(]*-?\d)|"
    r"\s[a-z]+\s[-+*\u00d7\u00f7]\s[$(]*\d",
    re.IGNORECASE,
)
OPERATED_BEFORE = re.compile(
    r"(?:[\w)%]\s?[-+*\u00d7\u00f7\u22c5\u00b7/]|^-|\d\s(?:plus|minus|times|by|x))\s?[$(]*$",
    re.IGNORECASE,
)
BELOW_ZERO = re.compile(
    r"(?: degrees?| ?\u00b0[CF]?)?(?: (?:Celsius|Fahrenheit))? below (?:zero|0)\b"
)
CONTEXT = 24
"""Characters around a number that say whether it is whole."""
NO_UNIT = (
    r"(?!(?:per|for|in|of|at|on|from|by|with|every|each|after|within|as|is|are|since|because|if|"
    r"when|"
    r"not|but|instead|that|which|while|where|using|than|has|have|had|left|a|an|the|he|she|they|"
    r"it)\b)"
)
LINKED = re.compile(
    rf"[%\u00b0]?\s?(?:{NO_UNIT}[a-z%\u00b0$.]+\s)?(?:{NO_UNIT}[a-z%\u00b0$.]+)?\s?"
    r"(?:(?:[,;&|]|and/or|and|or|to|through|nor|but also|~|\(\s?or)\s?(?:(?:and|or|also|even|only|"
    r"maybe|perhaps|possibly|about|either|[a-z]\s?=)\s?){0,3})?\$?",
    re.IGNORECASE,
)
"""What stands between two numbers of which neither alone is the answer: "3 and 4", "5 h 30"."""
LEAD = re.compile(
    r"\W*(?:(?:about|approximately|around|roughly|exactly|only|just|therefore|thus|then|simply|"
    r"a total of|equal to|be|probably|likely|most)\W+)*",
    re.IGNORECASE,
)
NO_COUNT = re.compile(
    r"[ ](?:of|that|who|which|where|with|in|on|can|could|should|would|must|way|by|and|or|to|past|"
    r"times|more|less|fewer|as|a|an|the|has|have|had|is|was)\b",
    re.IGNORECASE,
)
"""What follows a number word that counts nothing: "one of them", "half a dozen", "half past"."""
SMALL_COUNT = 10
"""Smaller number words in the middle of a sentence are rarely its answer: "between the two"."""


def candidate(text: str, match: re.Match[str], *, operated: bool = True) -> Candidate:
    """Return a NUMBER match with its value, or without one if it is a part of something else.

    Args:
        text: The text of the match.
        match: The match.
        operated: Whether an operand of a calculation is only a part.
    """
    start, end = match.span()
    before = text[max(0, start - CONTEXT) : start].lstrip()
    after = text[end : end + CONTEXT]
    is_part = CUT_AFTER.match(after) or (before and CUT_BEFORE.search(before))
    if operated and not is_part:
        is_part = OPERATED_AFTER.match(after) or (before and OPERATED_BEFORE.search(before))
    return Candidate(None if is_part else below_zero(written(match), after), start, end)


def below_zero(value: str | None, after: str) -> str | None:
    """Return the value, with a minus if the text behind it says "degrees below zero"."""
    below = re.match(
        r"(?: degrees?| \u00b0[CF])?(?: (?:Celsius|Fahrenheit))? below (?:zero|0)", after
    )
    return f"-{value}" if value and below else value


def written_out(part: str, *, alone: bool) -> list[Candidate]:
    """Return the numbers in words that may be the answer.

    A sentence mentions small numbers in passing, as in "the two of them". They count at its
    beginning only.

    Args:
        part: A part of a sentence.
        alone: Whether it has no number in digits. Otherwise only a phrase at its beginning, which
            stands beside one in digits, is of interest.
    """
    start = lead_of(part)
    if not alone and not words.PHRASE.match(part.lower(), start):
        return []
    found: list[Candidate] = []
    for phrase in words.find(part):
        leads = phrase.start == start and not NO_COUNT.match(part, phrase.end)
        large = phrase.value is None or abs(phrase.value) > SMALL_COUNT
        if leads or (alone and (large or found)):
            value = None if phrase.value is None else canonical(phrase.value)
            found.append(Candidate(value, phrase.start, phrase.end))
    return found


def lead_of(sentence: str) -> int:
    """Return where a sentence begins behind words such as "about"."""
    lead = LEAD.match(sentence)
    return lead.end() if lead else 0
