"""The settings of `datagen respond`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from datagen.flags import check
from datagen.prompts.settings import TemplateSettings
from datagen.teacher.settings import sampling_checks


@dataclass(frozen=True)
class RespondSettings(TemplateSettings):
    """Let the teacher answer an instruction set, several times each if wanted."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Instructions to answer: a run folder, a dataset version (NAME or NAME@VERSION), a file
    (JSONL, JSON, CSV, TSV or Parquet), a dataset folder, or a dataset on the Hub (ORG/NAME)."""
    limit: int | None = None
    """Answer only the first LIMIT instructions."""
    samples: int = 1
    """Responses to sample for each instruction. A response that repeats an earlier one is
    rejected as duplicate."""
    systems: bool = False
    """Ask every instruction under a system prompt that wants an explanation. The prompt is drawn
    from the templates in `systems/` (Orca, arXiv 2306.02707)."""
    temperature: float = 0.7
    """Sampling temperature; 0 is greedy."""
    top_p: float = 1.0
    """Nucleus sampling: sample from the most probable tokens that reach this probability
    together."""
    max_tokens: int = 2048
    """Longest response in tokens. A longer response is rejected as truncated."""
    reasoning: Literal["keep", "separate", "drop"] = "separate"
    """What a row holds of the reasoning of a model that reasons. separate: the response is the
    answer alone, and the column reasoning has the rest. keep: the response is the reasoning,
    between <think> and </think>, and then the answer. drop: the reasoning is left out."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            **sampling_checks(
                samples=self.samples,
                temperature=self.temperature,
                top_p=self.top_p,
                max_tokens=self.max_tokens,
            ),
        )
