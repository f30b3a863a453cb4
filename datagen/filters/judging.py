"""`datagen judge`: instruction rows in, the same rows with a judge's score out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from datagen.errors import UserError
from datagen.filters.judge import judge, reason
from datagen.flags import check
from datagen.prompts.settings import TemplateSettings
from datagen.prompts.templates import Templates, recorded_prompts
from datagen.run.job import Job, RunResult, default_out, run_job, source_record
from datagen.schema import Accepted, Outcome, Rejected, Row
from datagen.sources.rows import fields, read_rows
from datagen.teacher import Request, Sampling, Teacher
from datagen.teacher.cost.forecast import Forecast, forecast_of

METHOD = "judge"


@dataclass(frozen=True)
class JudgeSettings(TemplateSettings):
    """Score instruction rows by a rubric, and keep those that score enough."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Rows to score: a run folder, a dataset version (NAME or NAME@VERSION), a Parquet or JSONL
    file."""
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
        if self.structured and not self.teacher_spec.capabilities.schema:
            raise UserError(
                f"--structured: {self.teacher} knows no schemas, only openai: teachers may"
            )


def run_judge(settings: JudgeSettings) -> RunResult:
    """Score every row. Raises UserError."""
    templates, _ = settings.words()
    rows = read_rows(settings.source, templates, method=METHOD, limit=settings.limit)
    source = source_record(settings.source, len(rows), ([row["id"], fields(row)] for row in rows))
    out = settings.out or default_out(METHOD, source["suite"])

    return run_job(
        Job(
            method=METHOD,
            family="instructions",
            out=out,
            teacher=settings.connect(out),
            teacher_license=settings.teacher_license,
            account=settings.account(),
            source=source,
            settings=settings.recorded(templates),
            prompts=recorded_prompts(templates, [settings.rubric]),
            work=lambda run, teacher: run.each(
                rows,
                partial(score, templates=templates, settings=settings),
                teacher=teacher,
                describe=lambda row: row,
                statistics=statistics,
                concurrency=settings.under_way,
            ),
        )
    )


def forecast_judge(settings: JudgeSettings) -> Forecast:
    """What a run would ask and cost. Raises UserError."""
    templates, _ = settings.words()
    rows = read_rows(settings.source, templates, method=METHOD, limit=settings.limit)
    sampling = Sampling(temperature=0.0, max_tokens=settings.max_tokens, seed=settings.seed)
    questions = [templates.messages(settings.rubric, **fields(row)) for row in rows]
    asked = [Request(question, sampling=sampling) for question in questions]
    return forecast_of(asked, f"{len(rows)} rows to {settings.teacher}", settings)


async def score(
    row: Row, teacher: Teacher, *, templates: Templates, settings: JudgeSettings
) -> list[Outcome]:
    """The row with its score, accepted or rejected.

    It stays what it was otherwise, its id and parents too.
    """
    sampling = Sampling(temperature=0.0, max_tokens=settings.max_tokens, seed=settings.seed)
    found = await judge(
        **fields(row),
        teacher=teacher,
        rubric=settings.rubric,
        templates=templates,
        sampling=sampling,
        structured=settings.structured,
    )
    why, scored = reason(found, settings.at_least), row | {"score": found}
    detail = f"{settings.rubric} {found}" if found is not None else settings.rubric
    return [Rejected(scored | {"detail": detail}, why) if why else Accepted(scored, "instructions")]


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """How many rows got each score, and the mean."""
    scores = Counter(row["score"] for rows in items for row in rows if row.get("score") is not None)
    total = sum(scores.values())
    mean = (
        round(sum(score * count for score, count in scores.items()) / total, 3) if total else None
    )
    return {"scores": {str(score): scores[score] for score in sorted(scores)}, "mean_score": mean}
