"""Decide among the answers that one sentence names.

"The answer is not 5 but 6" names two and states one. "The answer is 5 or 6" names two and states
none: neither may be taken, because a wrong answer in the data costs more than a chain that is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_LINK = 60
"""Characters between two candidates that stand side by side."""
BEFORE = 60
"""Characters before a candidate in which a negation is looked for."""
NEGATION = re.compile(
    r"(?:\b(?:not|never|neither|nor|cannot|no longer|instead of|(?:rather|other|different) "
    r"(?:than|from)|except(?: for)?|excluding|all but|anything but|(?:rul|eliminat|exclud|reject|"
    r"dismiss|discard)(?:e|es|ed|ing|s)?(?: out)?|without|unlike|wrong|incorrect)|n't)\s(?:(?:be|"
    r"to|exactly|equal|the|an?|is|it|of|for|with|by|options?|choices?|answer|letter|either|both|"
    r"really|actually|necessarily|quite)\s){0,4}[^\w.;:?!]{0,3}$"
)
"""The end of the text before a candidate that the sentence denies. "Not only 5" denies nothing."""
DENIED = re.compile(
    r"[)\]\"'.]{0,2},?\s(?:(?:which\s)?(?:is|was|are|can|could|does|do|would|must|should)\s?"
    r"(?:not|n't)\b|cannot\b|(?:(?:is|was|are|were)\s(?:\w+\s)?(?:wrong|incorrect|false|out|ruled|"
    r"eliminated|excluded|impossible|unlikely)\b))",
    re.IGNORECASE,
)
"""The text behind a candidate that the sentence denies: "(A) is not right"."""
TURN = re.compile(
    r"\b(?:but|however|though|likely|probably|best|better|so|therefore|thus|hence|ultimately|"
    r"finally|wait|actually|rather|no|choose|pick|go with|leaving|leaves)\b",
    re.IGNORECASE,
)
"""A word with which a sentence decides between candidates that it left open."""
CORRECTION = re.compile(
    r"\b(?:or rather|i meant?|wait|sorry|correction|scratch that|make (?:that|it))\b|"
    r"\b(?:no|actually)\b,?\s?(?:it(?:'s| is)\s|the answer is\s)?\W*$",
    re.IGNORECASE,
)
"""A word with which a sentence replaces the candidate that it just stated."""
RETRACTION = re.compile(
    r"[.!\n]\W*(?:(?:but |oh,? )?(?:wait|no\b[,.:]|scratch that|on second thought|hold on|oops)|"
    r"actually,? (?:no|the answer|it(?:'s| is))|(?:this|that|it|the answer)(?:'s| is| was) "
    r"(?:not (?:right|correct)|wrong|incorrect)|i (?:was wrong|made an? (?:mistake|error))|"
    r"let me (?:correct|re-?check|redo))",
    re.IGNORECASE,
)
"""The beginning of a sentence that takes the stated answer back."""


class Candidate(NamedTuple):
    """An answer that a sentence names, and its place. The value is None if it cannot be read."""

    value: str | None
    start: int
    end: int


def decide(text: str, found: Sequence[Candidate], linked: re.Pattern[str]) -> list[str | None]:
    """Return the different values that a sentence states.

    Args:
        text: The sentence.
        found: The candidates in it, in order.
        linked: Matches the text between two candidates that stand side by side: "5 or 6".

    Returns:
        One value if the sentence decides. None at all if it names no candidate or denies every one;
        several if it leaves the choice open.
    """
    kept = not_denied(text, found, linked)
    stated: list[str | None] = []
    is_open = True
    for place, candidate in enumerate(kept):
        between = text[kept[place - 1].end : candidate.start] if place else ""
        turn = TURN if len(set(stated)) > 1 else CORRECTION
        if place and turn.search(between):
            stated = [candidate.value]
            is_open = True
        elif not place or (is_open and are_linked(between, linked)):
            stated.append(candidate.value)
        else:
            is_open = False
    return list(dict.fromkeys(stated))


def not_denied(text: str, found: Sequence[Candidate], linked: re.Pattern[str]) -> list[Candidate]:
    """Return the candidates that a sentence does not deny. "Not 5 or 6" denies both."""
    kept: list[Candidate] = []
    last: Candidate | None = None
    for candidate in found:
        follows = last is not None and are_linked(text[last.end : candidate.start], linked)
        if follows or denied(text, candidate):
            last = candidate
        else:
            last = None
            kept.append(candidate)
    return kept


def are_linked(between: str, linked: re.Pattern[str]) -> bool:
    """Return whether the text between two candidates puts them side by side."""
    return len(between) <= MAX_LINK and linked.fullmatch(between) is not None


def denied(text: str, candidate: Candidate) -> bool:
    """Return whether the sentence says that a candidate is not the answer."""
    before = text[max(0, candidate.start - BEFORE) : candidate.start].lstrip().lower()
    return bool((before and NEGATION.search(before)) or DENIED.match(text, candidate.end))
