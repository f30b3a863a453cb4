"""The settings of `datagen judge`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from datagen.errors import UserError
from datagen.flags import check
from datagen.prompts.settings import TemplateSettings


@dataclass(frozen=True)
class JudgeSettings(TemplateSettings):
    """Score instruction rows by a rubric, and keep those that score enough."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Rows to score: a run folder, a dataset version (NAME or NAME@VERSION), a file (JSONL,
    JSON, CSV, TSV or Parquet), a dataset folder, or a dataset on the Hub (ORG/NAME)."""
    rubric: str = "quality"
    """What to score, from 1 to 10: quality or helpfulness of the response, difficulty of the
    instruction, or a template of your own."""
    at_least: float | None = None
    """Reject rows with a lower score. Default: keep every row that has a score."""
    limit: int | None = None
    """Score only the first LIMIT rows."""
    max_tokens: int = 512
    """Longest judgement in tokens. A longer judgement counts as no score."""
    structured: bool = False
    """Ask the endpoint to hold the judge to a JSON schema (structured outputs), so that every
    judgement has a score."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            at_least=(self.at_least is None or 1 <= self.at_least <= 10, "between 1 and 10"),
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
        )
        # asked now, not at the first request: a run that cannot work must not begin
        if self.structured and not self.teacher_spec.capabilities.schema:
            raise UserError(
                f"--structured: {self.teacher} knows no schemas, only openai: teachers may"
            )
