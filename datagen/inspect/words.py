"""What an instruction asks for: its verb and the noun the verb takes, by rules of thumb.

Self-Instruct (arXiv 2212.10560, figure 3) parses each instruction and takes the root verb with its
direct object. A parser is a model to download, so this looks at the words alone: the first clause
that begins with a verb of the list verbs.txt, and the last word of the noun phrase behind it. It
finds fewer pairs than a parser, and says how many. Chinese is written without spaces: there the
pair is the first two characters and the next two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeAlias

from datagen.prompts.language import Language

Pair: TypeAlias = tuple[str, str]
"""Verb and object; the object is empty where the verb takes none."""

LONGEST = 500
"""Characters of an instruction that are looked at."""
CLAUSE = re.compile(r"[.,;:!?()\n]+")
WORD = re.compile(r"[a-z]+(?:['’-][a-z]+)*")
HAN = re.compile(r"[\u3400-\u9fff]")
OPENINGS = {
    "please",
    "first",
    "then",
    "now",
    "next",
    "can",
    "could",
    "would",
    "will",
    "you",
    "i",
    "want",
    "need",
    "to",
}
OPENINGS |= {"and", "your", "task", "is", "help", "let's"}
"""Words that may stand before the verb of a clause."""
SKIPPED = {
    "me",
    "us",
    "the",
    "a",
    "an",
    "out",
    "up",
    "down",
    "of",
    "this",
    "that",
    "these",
    "those",
    "your",
}
"""Words that may stand right behind a verb and are no part of its object."""
CHINESE_OPENINGS = re.compile(
    r"^(?:[^\u3400-\u9fffA-Za-z0-9]|请你|请|帮我|麻烦你?|你能|能否|能不能|可以|给我)+"
)


def pair_of(instruction: str, language: Language) -> Pair | None:
    """The pair of an instruction; None where no clause begins with a verb."""
    text = instruction[:LONGEST]
    if language.by_characters:
        characters = "".join(CHINESE_OPENINGS.sub("", text).split())
        return (characters[:2], characters[2:4]) if characters else None
    for clause in CLAUSE.split(text.lower()):
        words = WORD.findall(clause)
        while words and words[0] in OPENINGS:
            words.pop(0)
        if words and words[0] in words_of("verbs"):
            return words[0], object_of(words[1:])
    return None


def object_of(words: list[str]) -> str:
    """The head of the noun phrase that `words` begin with: its last word, in the singular.

    Empty where they do not.
    """
    while words and words[0] in SKIPPED:
        words = words[1:]
    length = next(
        (place for place, word in enumerate(words) if word in words_of("ends")), len(words)
    )
    return singular(words[length - 1]) if length else ""


def singular(noun: str) -> str:
    if (
        len(noun) <= 3
        or not noun.endswith("s")
        or noun.endswith(("ss", "us", "is", "'s", "’s", "ws"))
    ):
        return noun
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-2] if noun.endswith(("sses", "xes", "ches", "shes")) else noun[:-1]


def guess_language(texts: Iterable[str]) -> str:
    """Zh where more than a tenth of the characters are Han, en otherwise."""
    text = "".join(text[:LONGEST] for text in texts)
    return "zh" if len(HAN.findall(text)) * 10 > len(text) else "en"


@cache
def words_of(name: str) -> frozenset[str]:
    """This project's own lists: `verbs`, that instructions begin with, and `ends`, the words that
    end a noun phrase.
    """
    return frozenset((Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").split())
