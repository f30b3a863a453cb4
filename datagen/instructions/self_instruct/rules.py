"""Rules that reject an instruction before it is compared with others.

Each rule is a named reason. The word lists are files of the templates: `words/blocked.txt` and
`words/starts.txt`.

Source: Self-Instruct, arXiv 2212.10560, section 2.2, and its released code.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeAlias

from datagen.instructions.self_instruct.parse import FIELD, NO_INPUT
from datagen.prompts.language import Language

Rule: TypeAlias = Callable[[str], bool]
"""Whether an instruction breaks the rule."""
Rules: TypeAlias = dict[str, Rule]
"""Rules by their reason, in the order in which they are applied."""

PLACEHOLDER = re.compile(r"\{[a-z_]{1,40}\}|\[(?:system|user|assistant)\]")
"""A field of a template that was not filled in, or a role of a chat template."""
SEPARATOR = re.compile(r"#{3} ?(?:$|\d{1,3}[.)]|\w{1,20}(?: label)?[:：])")
"""The line between two tasks, which a teacher drew into an instruction."""
NUMBERED = re.compile(r"(?:task[ \t]?)?\d{1,3}[ \t]?[.)、．:：](?!\d)", re.IGNORECASE)
"""The number of an item. "3.5 is ..." is none."""


def rules(language: Language, *, blocked: Sequence[str], starts: Sequence[str]) -> Rules:
    """Return the rules of a language.

    Args:
        language: decides how lengths are measured.
        blocked: words and phrases that no instruction may hold, such as "image": the student only
            reads text.
        starts: what no instruction may begin with, such as "write a program".
    """
    blocked_words = [whole_word(word) for word in blocked]
    blocked_starts = tuple(start.casefold() for start in starts)
    return {
        "template_leftover": has_leftover,
        "too_short": lambda text: language.length(text) < language.shortest,
        "too_long": lambda text: language.length(text) > language.longest,
        "blocked_word": lambda text: any(word.search(text) for word in blocked_words),
        "blocked_start": lambda text: text.casefold().startswith(blocked_starts),
        "punctuation_start": lambda text: is_punctuation(text[0]),
        "non_ascii_start": lambda text: language.ascii_start and not text[0].isascii(),
    }


def broken_rule(instruction: str, rules: Rules) -> str | None:
    """Return the reason of the first rule that an instruction breaks, or None.

    Args:
        instruction: one line, without white space around it.
        rules: see `rules`.
    """
    return next((reason for reason, is_broken in rules.items() if is_broken(instruction)), None)


def whole_word(word: str) -> re.Pattern[str]:
    """Return a pattern that finds a word or phrase.

    An ASCII word is found between word boundaries, also inside Chinese text. Other words are found
    anywhere, because their scripts put no spaces between words.
    """
    # re.ASCII makes \b see a border between a letter and a Chinese character
    edge = r"\b" if word.isascii() else ""
    return re.compile(rf"{edge}{re.escape(word)}{edge}", re.IGNORECASE | re.ASCII)


def is_punctuation(character: str) -> bool:
    """Return whether a character is ASCII punctuation as Python counts it, or Unicode's."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def has_leftover(text: str) -> bool:
    """Return whether an instruction holds a part of a template.

    Such a part is a field, a label or a number at its beginning, or a separator.
    """
    at_the_beginning = FIELD.match(text) or NUMBERED.match(text)
    anywhere = PLACEHOLDER.search(text) or SEPARATOR.search(text)
    return bool(at_the_beginning or anywhere) or NO_INPUT in text
