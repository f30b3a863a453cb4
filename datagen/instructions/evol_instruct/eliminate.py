"""Elimination: evolutions that failed are rejected.

The rules that cost nothing come first. The teacher judges only what passes them.

Source: Evol-Instruct, arXiv 2304.12244, section 3.2.
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
    """The four rules of elimination. Each method returns the reason to reject, or None.

    Args:
        templates: they hold the word lists, and the prompt for the judgement.
        language: decides how lengths are measured, and how phrases are found.
        refusal_words: a response of this many words (Chinese: characters) or more is no refusal.
    """

    def __init__(self, templates: Templates, language: Language, *, refusal_words: int = 80):
        self.templates = templates
        self.language = language
        self.refusals = Refusals(language.name, templates=templates, shortest=refusal_words)

    def of_rewriting(self, parent: str, written: Completion) -> str | None:
        """Rule 4: the rewriting holds a phrase of our own prompt ("#Given Prompt#").

        A phrase that the parent holds already is no copy. A rewriting that is cut off, empty, or
        equal to its parent is rejected too.
        """
        if reason := unfinished(written):
            return reason
        if plain(written.text) == plain(parent):
            return "no_gain"
        # a parent may speak of prompts itself; then the phrase is no copy
        copied = self._scaffolding.search(plain(written.text))
        return "scaffolding" if copied and copied[0] not in plain(parent) else None

    def of_response(self, answer: Completion) -> str | None:
        """Rules 2 and 3: the response is a refusal, or it holds nothing but stop words."""
        if reason := unfinished(answer):
            return reason
        if self.refusals.match(answer.text):
            return "refusal"
        return "stopwords_only" if self._is_filler(plain(answer.text)) else None

    async def of_gain(
        self, parent: str, child: str, teacher: Teacher, sampling: Sampling
    ) -> str | None:
        """Rule 1: the teacher says that the child asks for nothing new. Raises TeacherError."""
        question = self.templates.messages("same", first=parent, second=child)
        (answer,) = await teacher.complete(Request(question, sampling=sampling))
        if self._yes.match(plain(answer.text)):
            return "no_gain"
        return None if self._no.match(plain(answer.text)) else "unparseable_judgement"

    def _is_filler(self, text: str) -> bool:
        """Return whether a plain text holds nothing but stop words and punctuation."""
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
