"""Which instructions are dropped before any comparison (Self-Instruct, arXiv 2212.10560, section
2.2; released code).

Each rule is a named reason. The word lists are files of the templates: `words/blocked.txt`,
`words/starts.txt`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Sequence

from datagen.instructions.self_instruct.parse import FIELD, NO_INPUT
from datagen.prompts.language import Language

Rule = Callable[[str], bool]
"""Whether an instruction is to be dropped."""
Rules = dict[str, Rule]
"""By reason, in the order in which they are asked."""

PLACEHOLDER = re.compile(r"\{[a-z_]{1,40}\}|\[(?:system|user|assistant)\]")
SEPARATOR = re.compile(r"#{3} ?(?:$|\d{1,3}[.)]|\w{1,20}(?: label)?[:：])")
"""A line between two tasks that was drawn into one, and how the next begins."""
NUMBERED = re.compile(r"(?:task[ \t]?)?\d{1,3}[ \t]?[.)、．:：](?!\d)", re.IGNORECASE)


def rules(language: Language, *, blocked: Sequence[str], starts: Sequence[str]) -> Rules:
    """The rules of a language; `blocked` are whole words and phrases, `starts` what no instruction
    may begin with.
    """
    blocked_word = [whole_word(word) for word in blocked]
    blocked_start = tuple(start.casefold() for start in starts)
    return {
        "template_leftover": leftover,
        "too_short": lambda text: language.length(text) < language.shortest,
        "too_long": lambda text: language.length(text) > language.longest,
        "blocked_word": lambda text: any(word.search(text) for word in blocked_word),
        "blocked_start": lambda text: text.casefold().startswith(blocked_start),
        "punctuation_start": lambda text: punctuation(text[0]),
        "non_ascii_start": lambda text: language.ascii_start and not text[0].isascii(),
    }


def check(instruction: str, asked: Rules) -> str | None:
    """The first reason to drop an instruction (one line, stripped), or None."""
    return next((reason for reason, drops in asked.items() if drops(instruction)), None)


def whole_word(word: str) -> re.Pattern[str]:
    """Finds an ASCII word or phrase between word boundaries, also inside Chinese text; other words
    anywhere.
    """
    edge = r"\b" if word.isascii() else ""
    return re.compile(rf"{edge}{re.escape(word)}{edge}", re.IGNORECASE | re.ASCII)


def punctuation(character: str) -> bool:
    """ASCII punctuation as Python counts it, and the punctuation of other scripts."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def leftover(text: str) -> bool:
    """What belongs to a template stands in the instruction: a field, a label or number it begins
    with, a separator.
    """
    found = (
        FIELD.match(text)
        or NUMBERED.match(text)
        or PLACEHOLDER.search(text)
        or SEPARATOR.search(text)
    )
    return bool(found) or NO_INPUT in text
