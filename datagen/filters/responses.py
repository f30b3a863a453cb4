"""Responses that are not worth keeping."""

from __future__ import annotations

import re
from functools import cached_property

from datagen.filters.text import phrases, plain
from datagen.filters.tokens import tokens
from datagen.prompts.language import Language
from datagen.prompts.templates import Templates

GRAM = 4
FEWEST = 16
"""4-grams below which a text is too short to be called repetitive."""
LONGEST = 100_000
"""Characters of a response that the repetition measure reads."""


class Responses:
    """The checks, in this order: empty, truncated, refusal, too_short, too_long, repetitive.

    Lengths are in words, in characters for a language that is measured so. `repetition` is the
    largest share of repeated 4-grams that passes. The refusals are the language's word list; a
    refusal is a response of fewer than `refusal_words` that holds one of its phrases
    (Evol-Instruct, arXiv 2304.12244, 3.2).
    """

    def __init__(
        self,
        templates: Templates,
        language: Language,
        *,
        shortest: int = 1,
        longest: int | None = None,
        repetition: float = 0.5,
        refusal_words: int = 80,
    ):
        self.language = language
        self.shortest = shortest
        self.longest = longest
        self.repetition = repetition
        self.refusals = Refusals(templates, language, shortest=refusal_words)

    def reason(self, response: str, finish_reason: str | None = None) -> str | None:
        """Why a response goes; None for one that stays."""
        if not response.strip():
            return "empty"
        if finish_reason == "length":
            return "truncated"
        if self.refusals.match(response):
            return "refusal"

        length = self.language.length(response)
        if length < self.shortest:
            return "too_short"
        if self.longest is not None and length > self.longest:
            return "too_long"
        return "repetitive" if repetition(response) > self.repetition else None


class Refusals:
    """Recognises refusals: short responses that hold a phrase of the language's word list.

    Args:
        templates: where the word list `words/refusals.txt` stands.
        language: how lengths are measured, and whether phrases are whole words.
        shortest: a response of this many words (Chinese: characters) is no refusal.

    Source: Evol-Instruct, arXiv 2304.12244, section 3.2.
    """

    def __init__(self, templates: Templates, language: Language, *, shortest: int = 80):
        self.templates = templates
        self.language = language
        self.shortest = shortest

    def match(self, response: str) -> bool:
        """Whether a response is a refusal."""
        if self.language.length(response) >= self.shortest:
            return False
        return self._phrases.search(plain(response)) is not None

    @cached_property
    def _phrases(self) -> re.Pattern[str]:
        return phrases(self.templates.words("refusals"), self.language)


def repetition(text: str) -> float:
    """Share of the 4-grams of a text that stood in it before: 0 for none, near 1 for one phrase
    over and over.

    On tokens of any script; where there are none (rows of signs), on characters. Linear in the
    text's length.
    """
    words = tokens(text[:LONGEST], "unicode") or list("".join(text[:LONGEST].split()))
    grams = [tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if len(grams) >= FEWEST else 0.0
