"""How a teacher is asked: a template as text to complete, or as a chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datagen.prompts.templates import Templates
from datagen.teacher.base import Completion, Messages, Request, Sampling, Teacher
from datagen.teacher.chat.kept import Kept

MARK = "\ue000"
"""A private character that no template holds. It shows where a field stands in a template."""


@dataclass(frozen=True)
class Asking:
    """The prompts of a run, in the style of its teacher, and what its rows hold of reasoning."""

    templates: Templates
    style: Literal["base", "chat"]
    seed: int = 0
    kept: Kept = "separate"

    def prompt(self, name: str, **fields: str) -> str | Messages:
        """Return a template with its fields filled in."""
        if self.style == "base":
            return self.templates.text(name, **fields)
        return self.templates.messages(name, **fields)

    async def ask(
        self, teacher: Teacher, name: str, *, max_tokens: int, **fields: str
    ) -> Completion:
        """Return the greedy answer to a template. Raises TeacherError."""
        # the paper's presence penalty for instances (1.5) is left out: most engines have none
        greedy = Sampling(
            temperature=0.0, max_tokens=max_tokens, stop=self.stop(name, **fields), seed=self.seed
        )
        request = Request(self.prompt(name, **fields), sampling=greedy)
        (completion,) = await teacher.complete(request)
        return completion

    def stop(self, name: str, **fields: str) -> tuple[str, ...]:
        r"""Return the strings at which an answer ends.

        A base model may go on with a further task. Its answer ends where the template would begin
        that task: "Task: {instruction}" in the template gives "\nTask:". A chat ends by itself.
        """
        if self.style == "chat":
            return ()
        text = self.templates.text(name, **(fields | {"instruction": MARK}))
        for line in text.splitlines():
            start = line.split(MARK)[0].strip()
            if MARK in line:
                return (f"\n{start}",) if start else ()
        return ()
