"""The letter of a choice that a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datagen.answers import latex
from datagen.answers.lines import MAX_SEGMENT, first_line, normalise_text

BRACKETED = re.compile(r"\(\s?([A-Za-z])\s?\)|(?<![\w(])([A-Z])\)|\[([A-Z])\]")


BARE = re.compile(
    r"\W{0,4}(?i:(?:option|choice|letter)\s)?\W{0,2}"
    r"(?:([B-HJ-Z])(?![\w'’])|([AI])(?=\W{0,3}$|\s?[.,;:)\]]|\s(?:because|since|as|which|for|and|or)\b)|([a-z])\W{0,3}$)",
)


def choice_after(segment: str, options: Sequence[str]) -> str | None:
    line = first_line(latex.plain(segment))
    bare = BARE.match(line)
    for match in (bare, BRACKETED.search(line)):
        letter = match and allowed(group_of(match), options)
        if letter:
            return letter
    return option_in(line, options)


NAMED = re.compile(
    r"\b(?i:option|choice|answer|ans)\b[ :.-]{0,3}(?i:is )?\(?([A-Z])\)?(?=\W{0,3}$)|"
    r"^\W{0,3}([A-Z])\)? is (?:the )?(?:correct|right|answer)\b|^[ \t(]{0,3}([A-Z])[ \t).]{0,3}$",
    re.MULTILINE,
)


MAX_WORDS = 12  # of a reply that names its option by the text alone


def choice_anywhere(text: str, options: Sequence[str]) -> str | None:
    whole = text.strip()
    if "\n" not in whole and len(whole) <= MAX_SEGMENT:  # an answer and nothing else
        bare = BARE.fullmatch(whole.rstrip(". "))
        letter = bare and allowed(group_of(bare), options)
        if letter:
            return letter
    for pattern in (NAMED, BRACKETED):
        letters = [
            letter
            for match in pattern.finditer(text)
            if (letter := allowed(group_of(match), options))
        ]
        if letters:
            return letters[-1]
    short = "\n" not in whole and len(whole) <= MAX_SEGMENT and len(whole.split()) <= MAX_WORDS
    return option_in(whole, options) if short else None


def group_of(match: re.Match[str]) -> str:
    """The one group that took part."""
    return next(filter(None, match.groups()))


def allowed(letter: str, options: Sequence[str]) -> str | None:
    """The letter as a capital, where there is such an option."""
    place = ord(letter.upper()) - ord("A")
    return letter.upper() if not options or place < len(options) else None


def option_in(line: str, options: Sequence[str]) -> str | None:
    """The letter of the option whose text stands first in the line, the longest of those that start
    there.
    """
    wanted, best = f" {words(line)} ", None
    for place, option in enumerate(options):
        start = wanted.find(f" {words(option)} ") if words(option) else -1
        if start >= 0 and (best is None or (start, -len(option)) < best[:2]):
            best = (start, -len(option), place)
    return None if best is None else chr(ord("A") + best[2])


def words(text: str) -> str:
    return " ".join(normalise_text(text).strip("().,;:!?").split())
