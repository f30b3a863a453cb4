"""`datagen judge`: instruction rows in, the same rows with a judge's score out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from datagen.errors import UserError
from datagen.filters.judge import judge, reason
from datagen.instructions import session
from datagen.instructions.prompts import Prompt, describe, prompts_of
from datagen.instructions.tasks import Task, records, task_of
from datagen.instructions.templates import Templates
from datagen.schema import Accepted, Outcome, Rejected, Row, arrow_schema, assistant
from datagen.teacher import Request, Sampling, Teacher

METHOD = "judge"


@dataclass(frozen=True)
class JudgeSettings:
    """Score instruction rows by a rubric, and keep those that score enough."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Rows to score: a run folder, a dataset version (NAME or NAME@VERSION), a Parquet or JSONL file."""
    rubric: str = "quality"
    """What is scored, from 1 to 10: quality or helpfulness of the response, difficulty of the instruction, or a
    template of your own."""
    at_least: float | None = None
    """Reject rows that score less. Without it every row that has a score stays."""
    out: Path | None = None
    """The run folder, by default runs/judge-SOURCE. The same command again resumes it."""
    teacher: str = "micro"
    """Who judges: micro (difficulty only), hf:NAME_OR_PATH, or openai:MODEL."""
    language: Literal["en", "zh"] | None = None
    """Language of the rubric; en by default (the micro teacher has its own)."""
    templates: Path | None = None
    """Folder with rubrics of your own, which go before the shipped ones."""
    limit: int | None = None
    """Score the first LIMIT rows only."""
    max_tokens: int = 512
    """Longest judgement, in tokens. One that is cut off there counts as no score."""
    seed: int = 0
    concurrency: int = 64
    """Rows under way at once. Changes nothing but speed."""
    dry_run: bool = False
    """Show the first requests; ask nothing, write nothing."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        session.check(
            self,
            at_least=(self.at_least is None or 1 <= self.at_least <= 10, "between 1 and 10"),
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
            concurrency=(self.concurrency >= 1, "at least 1"),
        )


def judge_rows(settings: JudgeSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    templates, _ = session.words(settings)
    rows = read_rows(settings.source, templates, limit=settings.limit)
    if settings.dry_run:
        asked = [templates.messages(settings.rubric, **fields(row)) for row in rows[:3]]
        session.preview([Request(question) for question in asked], f"{len(rows)} rows to {settings.teacher}")
        return
    run = session.run_each(
        METHOD,
        rows,
        partial(score, templates=templates, settings=settings),
        settings=settings,
        templates=templates,
        source=source_of(settings.source, rows),
        describe=lambda row: row,
        statistics=statistics,
    )
    print(asyncio.run(run))


async def score(row: Row, teacher: Teacher, *, templates: Templates, settings: JudgeSettings) -> list[Outcome]:
    """The row with its score, accepted or rejected. It stays what it was otherwise, its id and parents too."""
    sampling = Sampling(temperature=0.0, max_tokens=settings.max_tokens, seed=settings.seed)
    found = await judge(**fields(row), teacher=teacher, rubric=settings.rubric, templates=templates, sampling=sampling)
    why, scored = reason(found, settings.at_least), row | {"score": found}
    detail = f"{settings.rubric} {found}" if found is not None else settings.rubric
    return [Rejected(scored | {"detail": detail}, why) if why else Accepted(scored, "instructions")]


def fields(row: Row) -> dict[str, str]:
    """What a rubric may ask about: the whole prompt, and the response."""
    turns = {turn["role"]: turn["content"] for turn in row["prompt"] + row["completion"]}
    return {"instruction": turns.get("user", ""), "response": turns.get("assistant", "")}


def read_rows(source: str, templates: Templates, *, limit: int | None) -> list[Row]:
    """Rows of any known form with the columns of `instructions`. Raises UserError."""
    rows = [row_of(record, where, templates) for where, record in islice(records(source), limit)]
    if not rows:
        raise UserError(f"{source} holds no rows")
    return rows


def row_of(record: dict[str, Any], where: str, templates: Templates) -> Row:
    """A row of this project as it was, and one from elsewhere in the same form."""
    task: Task = task_of(record, where)
    (prompt,) = prompts_of([task], templates)
    output = task.instances[0].output
    made: Row = describe(Prompt(task.id, prompt.text, prompt.instruction, prompt.input), METHOD) | {
        "id": task.id,
        "parents": [],
        "completion": assistant(output),
        "output": output,
    }
    if record.get("method") is None:
        return made
    return made | {k: record[k] for k in arrow_schema("instructions").names if record.get(k) is not None}


def source_of(name: str, rows: list[Row]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([row["id"], fields(row)], sort_keys=True).encode())
    return {
        "suite": Path(name).stem if Path(name).exists() else name,
        "hub": None,
        "split": None,
        "questions": len(rows),
        "sha256": digest.hexdigest(),
    }


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """How many rows got each score, and the mean."""
    scores = Counter(row["score"] for rows in items for row in rows if row.get("score") is not None)
    total = sum(scores.values())
    mean = round(sum(score * count for score, count in scores.items()) / total, 3) if total else None
    return {"scores": {str(score): scores[score] for score in sorted(scores)}, "mean_score": mean}
