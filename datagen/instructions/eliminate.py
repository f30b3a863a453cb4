"""Elimination: the evolutions that failed (Evol-Instruct, arXiv 2304.12244, section 3.2).

Free rules first; the teacher is asked for its judgement only of what passes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from datagen.instructions.language import Language
from datagen.instructions.templates import Templates
from datagen.teacher import Completion, Request, Sampling, Teacher


class Eliminator:
    """The four rules and their word lists. Every method gives a reason to drop, or None.

    `refusal_words`: a refusal is dropped when its response is shorter than this, in words (Chinese:
    characters)."""

    def __init__(self, templates: Templates, language: Language, *, refusal_words: int = 80):
        self.templates, self.language, self.refusal_words = templates, language, refusal_words

    def of_rewriting(self, parent: str, written: Completion) -> str | None:
        """Rule 4 (a phrase of our own prompts that the parent does not hold), and what needs no
        judge."""
        if reason := unfinished(written):
            return reason
        if plain(written.text) == plain(parent):
            return "no_gain"
        copied = self._scaffolding.search(plain(written.text))
        return "scaffolding" if copied and copied[0] not in plain(parent) else None

    def of_response(self, answer: Completion) -> str | None:
        """Rules 2 and 3, and a response that is cut off or missing."""
        if reason := unfinished(answer):
            return reason
        if self.language.length(answer.text) < self.refusal_words and self._refusals.search(
            plain(answer.text)
        ):
            return "refusal"
        return "stopwords_only" if self._is_filler(plain(answer.text)) else None

    async def of_gain(
        self, parent: str, child: str, teacher: Teacher, sampling: Sampling
    ) -> str | None:
        """Rule 1: the teacher says whether the child asks for anything that the parent does not."""
        question = self.templates.messages("same", first=parent, second=child)
        (said,) = await teacher.complete(Request(question, sampling=sampling))
        if self._yes.match(plain(said.text)):
            return "no_gain"
        return None if self._no.match(plain(said.text)) else "unparseable_judgement"

    def _is_filler(self, text: str) -> bool:
        """Whether nothing but stop words and punctuation stands in a plain text."""
        return re.search(r"\w", self._stopwords.sub(" ", text)) is None

    @cached_property
    def _refusals(self) -> re.Pattern[str]:
        return self._phrases("refusals")

    @cached_property
    def _stopwords(self) -> re.Pattern[str]:
        return self._phrases("stopwords")

    @cached_property
    def _scaffolding(self) -> re.Pattern[str]:
        return self._phrases("scaffolding")

    @cached_property
    def _yes(self) -> re.Pattern[str]:
        return beginning(self.templates.words("yes"))

    @cached_property
    def _no(self) -> re.Pattern[str]:
        return beginning(self.templates.words("no"))

    def _phrases(self, name: str) -> re.Pattern[str]:
        """Any phrase of a list: whole words, but in a script without spaces wherever it stands."""
        phrases = either(self.templates.words(name))
        return re.compile(
            phrases if self.language.by_characters else rf"(?<!\w)(?:{phrases})(?!\w)"
        )


def unfinished(completion: Completion) -> str | None:
    if completion.finish_reason == "length":
        return "truncated"
    return None if completion.text.strip() else "empty"


def plain(text: str) -> str:
    """Lower case, single spaces, straight apostrophes."""
    return " ".join(text.casefold().replace("’", "'").split())


def beginning(words: Iterable[str]) -> re.Pattern[str]:
    """A text whose first word is one of these."""
    return re.compile(rf"\W*(?:{either(words)})(?!\w)")


def either(words: Iterable[str]) -> str:
    """Alternatives, the longest first; of no words, what matches nothing."""
    return (
        "|".join(re.escape(plain(word)) for word in sorted(words, key=len, reverse=True)) or r"(?!)"
    )
