"""How a teacher is asked: the words of the templates, as text to complete or as chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datagen.prompts.templates import Templates
from datagen.teacher.base import Completion, Messages, Request, Sampling, Teacher

MARK = "\ue000"
"""A private character that no template holds, to see where a field stands."""


@dataclass(frozen=True)
class Asking:
    """How the teacher is asked: the prompts, and whether it chats or continues a text."""

    templates: Templates
    style: Literal["base", "chat"]
    seed: int = 0

    def prompt(self, name: str, **fields: str) -> str | Messages:
        return (
            self.templates.text(name, **fields)
            if self.style == "base"
            else self.templates.messages(name, **fields)
        )

    async def ask(
        self, teacher: Teacher, name: str, *, max_tokens: int, **fields: str
    ) -> Completion:
        """The greedy answer. Raises TeacherError.

        The paper's presence penalty for instances (1.5) is left out: no engine but one knows it.
        """
        greedy = Sampling(
            temperature=0.0, max_tokens=max_tokens, stop=self.stop(name, **fields), seed=self.seed
        )
        (completion,) = await teacher.complete(
            Request(self.prompt(name, **fields), sampling=greedy)
        )
        return completion

    def stop(self, name: str, **fields: str) -> tuple[str, ...]:
        r"""For a base model: how the template begins a further task, which it may go on to write.

        Chat ends by itself.

        >>> # "Task: {instruction}" in the template gives ("\nTask:",)
        """
        if self.style == "chat":
            return ()
        text = self.templates.text(name, **(fields | {"instruction": MARK}))
        start = next(
            (line.split(MARK)[0].strip() for line in text.splitlines() if MARK in line), ""
        )
        return (f"\n{start}",) if start else ()
