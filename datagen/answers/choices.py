"""Find the option that a text chooses, as a capital letter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datagen.answers import latex
from datagen.answers.lines import MAX_SEGMENT, first_line, normalise_text

BRACKETED = re.compile(r"\(\s?([A-Za-z])\s?\)|(?<![\w(])([A-Z])\)|\[([A-Z])\]")

BARE = re.compile(
    r"\W{0,4}(?i:(?:option|choice|letter)\s)?\W{0,2}"
    r"(?:([B-HJ-Z])(?![\w'’])|"
    # "A" and "I" are also words. They are letters only at the end, before a mark, or before a
    # word that no article or pronoun can precede.
    r"([AI])(?=\W{0,3}$|\s?[.,;:)\]]|\s(?:because|since|as|which|for|and|or)\b)|"
    r"([a-z])\W{0,3}$)",
)
"""A letter without brackets at the beginning of an answer."""

NAMED = re.compile(
    r"\b(?i:option|choice|answer|ans)\b[ :.-]{0,3}(?i:is )?\(?([A-Z])\)?(?=\W{0,3}$)|"
    r"^\W{0,3}([A-Z])\)? is (?:the )?(?:correct|right|answer)\b|^[ \t(]{0,3}([A-Z])[ \t).]{0,3}$",
    re.MULTILINE,
)
"""A text names its option: "option B" at the end of a line, "B is correct", or a line "B"."""

MAX_WORDS = 12
"""A reply of at most this many words may name its option by the option's text alone. A longer one
discusses several options, and the first text in it need not be the chosen one."""


def choice_after(segment: str, options: Sequence[str]) -> str | None:
    """Return the letter that stands after a trigger, else the option whose text stands there."""
    line = first_line(latex.plain(segment))
    bare = BARE.match(line)
    for match in (bare, BRACKETED.search(line)):
        letter = match and allowed(group_of(match), options)
        if letter:
            return letter
    return option_in(line, options)


def choice_anywhere(text: str, options: Sequence[str]) -> str | None:
    """Return the option that a text without triggers chooses, else None."""
    whole = text.strip()
    single_line = "\n" not in whole and len(whole) <= MAX_SEGMENT

    # The text is a letter and nothing else.
    if single_line and (bare := BARE.fullmatch(whole.rstrip(". "))):
        letter = allowed(group_of(bare), options)
        if letter:
            return letter

    # The last letter counts: a chain discusses the other options before it decides.
    for pattern in (NAMED, BRACKETED):
        found = (allowed(group_of(match), options) for match in pattern.finditer(text))
        letters = [letter for letter in found if letter]
        if letters:
            return letters[-1]

    short = single_line and len(whole.split()) <= MAX_WORDS
    return option_in(whole, options) if short else None


def group_of(match: re.Match[str]) -> str:
    """Return the only group of a match that is not empty."""
    return next(filter(None, match.groups()))


def allowed(letter: str, options: Sequence[str]) -> str | None:
    """Return the letter as a capital if there is such an option, else None."""
    place = ord(letter.upper()) - ord("A")
    return letter.upper() if not options or place < len(options) else None


def option_in(line: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option whose text stands first in the line, else None.

    If several options start at the same place, the longest wins: "red wine" before "red".
    """
    line_words = f" {words(line)} "
    best: tuple[int, int, int] | None = None
    for place, option in enumerate(options):
        start = line_words.find(f" {words(option)} ") if words(option) else -1
        if start >= 0 and (best is None or (start, -len(option)) < best[:2]):
            best = (start, -len(option), place)
    return None if best is None else chr(ord("A") + best[2])


def words(text: str) -> str:
    """Return the words of a text in lower case, with single spaces and no marks around."""
    return " ".join(normalise_text(text).strip("().,;:!?").split())
