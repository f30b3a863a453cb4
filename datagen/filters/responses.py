"""Responses that are not worth keeping: refusals, repetitions, cut-off or empty texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datagen.filters.text import phrases, plain, text_of
from datagen.filters.tokens import tokens
from datagen.prompts import language as languages
from datagen.prompts.templates import Templates

GRAM = 4
"""Words of the sequences whose repetition counts. Shorter ones repeat in good prose too."""
FEWEST = 16
"""4-grams below which a text is too short to be called repetitive. In a list of a few short items
a repeated phrase is normal."""
LONGEST = 100_000
"""Characters of a response that the repetition measure reads. It bounds time and memory."""


class Responses:
    """A filter of poor responses.

    The checks, in this order: empty, truncated, refusal, too_short, too_long, repetitive. The name
    of the check is the reason to reject a response.

    Args:
        language: `en` or `zh`. It decides the refusal phrases and how lengths are counted.
        templates: your own word lists (a folder). Default: those of this project.
        shortest: least length, in words (Chinese: characters).
        longest: greatest length, in words (Chinese: characters). Default: no limit.
        repetition: largest share of repeated 4-word sequences, from 0 to 1.
        refusal_words: a response of this many words or more is no refusal.

    Raises:
        UserError: the language or the folder does not exist.

    Source:
        Refusals: Evol-Instruct, arXiv 2304.12244, section 3.2.

    Example:
        >>> import datagen
        >>> responses = datagen.Responses(shortest=3)
        >>> responses.reason("I'm sorry, but I cannot help with that.")
        'refusal'
        >>> responses.reason("The moon pulls the water.") is None
        True
        >>> responses({"completion": [{"role": "assistant", "content": "Yes."}]})
        'too_short'
    """

    def __init__(
        self,
        language: str = "en",
        *,
        templates: Templates | Path | None = None,
        shortest: int = 1,
        longest: int | None = None,
        repetition: float = 0.5,
        refusal_words: int = 80,
    ):
        self.language = languages.language(language)
        self.shortest = shortest
        self.longest = longest
        self.repetition = repetition
        self.refusals = Refusals(language, templates=templates, shortest=refusal_words)

    def __call__(self, row: Mapping[str, Any]) -> str | None:
        """Return the reason to reject a row by its `completion`, or None."""
        return self.reason(text_of(row["completion"]), row.get("finish_reason"))

    def reason(self, response: str, finish_reason: str | None = None) -> str | None:
        """Return the reason to reject a response, or None.

        Args:
            response: the text.
            finish_reason: why the teacher stopped. "length" means that the text was cut off.
        """
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
        language: `en` or `zh`. It decides how lengths are counted, and whether phrases are whole
            words.
        templates: your own word list, `words/refusals.txt` in a folder. Default: the one of this
            project.
        shortest: a response of this many words (Chinese: characters) or more is no refusal. A long
            text may hold such a phrase and still answer.

    Raises:
        UserError: the language or the folder does not exist.

    Source:
        Evol-Instruct, arXiv 2304.12244, section 3.2.

    Example:
        >>> import datagen
        >>> refusals = datagen.Refusals()
        >>> refusals.match("I'm sorry, but I cannot help with that.")
        True
        >>> refusals.match("The bridge had fallen.")
        False
    """

    def __init__(
        self, language: str = "en", *, templates: Templates | Path | None = None, shortest: int = 80
    ):
        found = templates if isinstance(templates, Templates) else Templates(language, templates)
        self.templates = found
        self.language = languages.language(language)
        self.shortest = shortest

    def match(self, response: str) -> bool:
        """Return whether a response is a refusal."""
        if self.language.length(response) >= self.shortest:
            return False
        return self._phrases.search(plain(response)) is not None

    @cached_property
    def _phrases(self) -> re.Pattern[str]:
        return phrases(self.templates.words("refusals"), self.language)


def repetition(text: str) -> float:
    """Return the share of 4-grams that stood in the text before.

    It is 0 if nothing repeats, and near 1 for one phrase over and over. The time is linear in the
    length of the text.

    Args:
        text: in any script. A text without words, such as a row of signs, is read by characters.

    Returns:
        A share from 0 to 1. It is 0 for a text that is too short to tell.
    """
    read = text[:LONGEST]
    # a row of dashes has no words, and is repetitive all the same
    words = tokens(read, "unicode") or list("".join(read.split()))
    grams = [tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)]
    if len(grams) < FEWEST:
        return 0.0
    return 1 - len(set(grams)) / len(grams)
