"""Find the verb of an instruction and its object, by simple rules.

Self-Instruct (arXiv 2212.10560, figure 3) parses each instruction and takes the root verb with its
direct object. A parser is a model that must be downloaded, so this module looks at the words alone.
The verb begins the first clause that begins with a word of verbs.txt. The object is the last word
of the noun phrase behind it. These rules find fewer pairs than a parser. The page says how many.

Chinese is written without spaces. There the pair is the first two characters and the next two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeAlias

from datagen.prompts.language import Language

Pair: TypeAlias = tuple[str, str]
"""Verb and object. The object is empty if the verb has none."""

LONGEST = 500
"""Only this many characters of an instruction are read. The verb stands in its first sentences."""
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
"""Words that can stand before the verb of a clause."""
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
"""Words that can stand behind a verb and do not belong to its object."""
CHINESE_OPENINGS = re.compile(
    r"^(?:[^\u3400-\u9fffA-Za-z0-9]|请你|请|帮我|麻烦你?|你能|能否|能不能|可以|给我)+"
)


def pair_of(instruction: str, language: Language) -> Pair | None:
    """Return the verb and the object of an instruction, or None if no clause begins with a verb."""
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
    """Return the last word of the noun phrase at the beginning of `words`, in the singular.

    Returns an empty text if they begin with no noun phrase.
    """
    while words and words[0] in SKIPPED:
        words = words[1:]
    ends = (place for place, word in enumerate(words) if word in words_of("ends"))
    length = next(ends, len(words))
    return singular(words[length - 1]) if length else ""


def singular(noun: str) -> str:
    """Return the singular of an English noun, by its ending."""
    # "bus", "class", "analysis", "news" end in s, but are no plurals.
    endings = ("ss", "us", "is", "'s", "’s", "ws")
    if len(noun) <= 3 or not noun.endswith("s") or noun.endswith(endings):
        return noun
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-2] if noun.endswith(("sses", "xes", "ches", "shes")) else noun[:-1]


def guess_language(texts: Iterable[str]) -> str:
    """Return "zh" if more than a tenth of the characters are Han characters, else "en"."""
    # Not a half: Chinese instructions often contain code or English terms.
    text = "".join(text[:LONGEST] for text in texts)
    return "zh" if len(HAN.findall(text)) * 10 > len(text) else "en"


@cache
def words_of(name: str) -> frozenset[str]:
    """Return a word list: `verbs` that begin instructions, or `ends`, which end a noun phrase."""
    return frozenset((Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").split())
