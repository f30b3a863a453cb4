"""The settings of the method: a source, and how many answers must agree."""

from __future__ import annotations

from dataclasses import dataclass

from datagen.flags import check
from datagen.prompts.settings import TemplateSettings


@dataclass(frozen=True)
class SumSettings(TemplateSettings):
    """Let the teacher add numbers, and keep the sums on which its answers agree."""

    source: str
    """File with two numbers a line."""
    samples: int = 3
    """Answers to sample for each sum."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(self, samples=(self.samples >= 1, "at least 1"))
