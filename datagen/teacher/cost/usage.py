"""What a journal's answers cost in tokens, and what was special about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from datagen.teacher.base import Completion

ESTIMATED = "estimated"
LEFT_OUT = "left out: "
"""The marks of answers: with estimated tokens, and without a field that the endpoint refuses."""


@dataclass
class Usage:
    """The number of answered samples in the journal, and their tokens."""

    answers: int
    completion_tokens: int
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that the endpoint had in its cache."""
    marks: Counter[str] = field(default_factory=Counter)
    """Numbers of answers by their mark."""

    @property
    def estimated_answers(self) -> int:
        """Answers whose tokens are estimated."""
        return self.marks[ESTIMATED]

    def statistics(self) -> dict[str, Any]:
        """Return the counts under the keys of stats.json."""
        fields = {m.removeprefix(LEFT_OUT): n for m, n in sorted(self.marks.items())}
        estimated = fields.pop(ESTIMATED, None)
        counts = {name: value for name, value in vars(self).items() if name != "marks"}
        return counts | {"estimated_answers": estimated, "fields_left_out": fields or None}

    def add(
        self, answers: int, completion_tokens: int, prompt_tokens: int, cached_tokens: int
    ) -> None:
        self.answers += answers
        self.completion_tokens += completion_tokens
        self.prompt_tokens += prompt_tokens
        self.cached_tokens += cached_tokens


def marks_of(answer: Completion) -> list[str]:
    """Return the marks of an answer."""
    fields = [LEFT_OUT + name for name in answer.left_out]
    return [ESTIMATED, *fields] if answer.estimated else fields
