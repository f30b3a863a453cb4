"""Elimination: the evolutions that failed (Evol-Instruct, arXiv 2304.12244, section 3.2).

Free rules first; the teacher is asked for its judgement only of what passes them.
"""

from __future__ import annotations

import re
from functools import cached_property

from datagen.filters.responses import Refusals
from datagen.filters.text import beginning, phrases, plain, unfinished
from datagen.prompts.language import Language
from datagen.prompts.templates import Templates
from datagen.teacher import Completion, Request, Sampling, Teacher


class Eliminator:
    """The four rules and their word lists. Every method gives a reason to drop, or None.

    `refusal_words`: a refusal is dropped when its response is shorter than this, in words (Chinese:
    characters).
    """

    def __init__(self, templates: Templates, language: Language, *, refusal_words: int = 80):
        self.templates = templates
        self.language = language
        self.refusals = Refusals(language.name, templates=templates, shortest=refusal_words)

    def of_rewriting(self, parent: str, written: Completion) -> str | None:
        """Rule 4 (a phrase of our own prompts that the parent does not hold), and what needs no
        judge.
        """
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
        if self.refusals.match(answer.text):
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
    def _stopwords(self) -> re.Pattern[str]:
        return phrases(self.templates.words("stopwords"), self.language)

    @cached_property
    def _scaffolding(self) -> re.Pattern[str]:
        return phrases(self.templates.words("scaffolding"), self.language)

    @cached_property
    def _yes(self) -> re.Pattern[str]:
        return beginning(self.templates.words("yes"))

    @cached_property
    def _no(self) -> re.Pattern[str]:
        return beginning(self.templates.words("no"))
