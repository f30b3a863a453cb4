"""`datagen filter`: reads instruction rows, and keeps those that no filter rejects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from datagen.filters.checks import each_row, outcomes, shipped_checks
from datagen.filters.row_filter import NamedFilter, RowFilter, user_filters
from datagen.filters.settings import FilterSettings
from datagen.prompts.settings import recorded_templates
from datagen.prompts.templates import Templates
from datagen.run.job import Job, RunResult, Stats, counted, default_out, run_job, source_record
from datagen.run.open_run import OpenRun
from datagen.schema import Outcome
from datagen.sources import rows as row_source
from datagen.sources.tally import SourceTally
from datagen.teacher import (
    Capabilities,
    Completion,
    Messages,
    Pair,
    Request,
    Teacher,
    TeacherError,
)

METHOD = "filter"
NOT_IN_CONFIG = {"source", "out", "data_root", "language", "templates", "filter", "teacher_license"}
"""Settings that change no row, and those that the configuration records in another form."""


def run_filter(settings: FilterSettings, *, filters: Sequence[RowFilter] = ()) -> RunResult:
    """Leave out the rows that a check or a filter rejects.

    Args:
        settings: the source, the filters by name, and the checks of this project.
        filters: further filters as functions, applied after those that are named.

    Raises:
        UserError: the source, a benchmark or a filter cannot be read, or a filter failed on a row.
    """
    templates = Templates(settings.language or "en", settings.templates)
    tally = SourceTally()
    rows = row_source.read_rows(settings.source, templates, method=METHOD, tally=tally)
    own = user_filters(settings.filter, filters)
    parts = ([row["id"], row_source.fields(row)] for row in rows)
    source = source_record(settings.source, len(rows), parts)

    # all rows are filtered before the run folder is made: a filter that fails leaves nothing behind
    checks = [*map(each_row, own), *shipped_checks(settings, templates)]
    found = outcomes(rows, checks)

    async def one_by_one(_: Teacher) -> AsyncGenerator[list[Outcome]]:
        for outcome in found:
            yield [outcome]

    async def work(run: OpenRun, teacher: Teacher) -> dict[str, Any]:
        return await run.stream(one_by_one, teacher=teacher, total=len(rows))

    return run_job(
        Job(
            method=METHOD,
            family="instructions",
            out=settings.out or default_out(METHOD, source["suite"]),
            teacher=NoTeacher(),
            teacher_license=settings.teacher_license,
            source=source,
            read=tally.counts(),
            settings=recorded(settings, templates, own),
            work=work,
            summarise=filter_summary,
        )
    )


def filter_summary(stats: Stats, out: Path) -> str:
    """Return the closing lines of a run that asks no teacher."""
    return "\n".join(
        [
            f"{stats['questions']:,} rows in {stats['seconds']:,} s",
            f"accepted:  {sum(stats['accepted'].values()):,}",
            f"rejected:  {counted(stats['rejected'])}",
            f"written to {out}; next: datagen inspect {out}, datagen publish {out} NAME",
        ]
    )


def recorded(
    settings: FilterSettings, templates: Templates, filters: Sequence[NamedFilter]
) -> dict[str, object]:
    """Return the settings that decide the rows, as the configuration records them."""
    names = [field.name for field in fields(settings) if field.name not in NOT_IN_CONFIG]
    values: dict[str, object] = {name: getattr(settings, name) for name in names}
    if filters:
        values["filter"] = [row_filter.record() for row_filter in filters]
    return values | recorded_templates(templates)


class NoTeacher:
    """The teacher of a run that asks nothing."""

    name = "none"
    capabilities = Capabilities()

    async def identify(self) -> str:
        return self.name

    async def open(self) -> None: ...

    async def complete(self, request: Request) -> list[Completion]:
        raise TeacherError("a filter asks no teacher")

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        raise TeacherError("a filter asks no teacher")

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        raise TeacherError("a filter asks no teacher")

    async def close(self) -> None: ...
