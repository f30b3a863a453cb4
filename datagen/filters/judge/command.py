"""`datagen judge`: reads instruction rows, and gives each a score."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from datagen.filters.judge.score import judge_row, request_for, statistics
from datagen.filters.judge.settings import JudgeSettings
from datagen.prompts.templates import Templates, recorded_prompts
from datagen.run.job import Job, RunResult, Stats, default_out, run_job, source_record, summary
from datagen.schema import Row
from datagen.sources.rows import fields, read_rows
from datagen.sources.tally import SourceTally
from datagen.teacher.cost.forecast import Forecast, forecast_of

METHOD = "judge"


def run_judge(settings: JudgeSettings) -> RunResult:
    """Score every row. Raises UserError."""
    templates, _ = settings.words()
    # now, not at the first request: the rows and the model take time to load
    templates.path(f"{settings.rubric}.txt")
    tally = SourceTally()
    rows = read_source(settings, templates, tally)
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
            read=tally.counts(),
            settings=settings.recorded(templates),
            prompts=recorded_prompts(templates, [settings.rubric]),
            work=lambda run, teacher: run.each(
                rows,
                partial(judge_row, templates=templates, settings=settings),
                teacher=teacher,
                describe=lambda row: row,
                statistics=statistics,
                concurrency=settings.under_way,
            ),
            summarise=judge_summary,
        )
    )


def judge_summary(stats: Stats, out: Path) -> str:
    """Return the closing lines of a run, with the mean score before the last of them."""
    *lines, written = summary(stats, out).splitlines()
    mean = stats.get("mean_score")
    number = sum(stats.get("scores", {}).values())
    found = "none" if mean is None else f"{mean:.2f} of 10, of {number:,} rows with a score"
    return "\n".join([*lines, f"mean score: {found}", written])


def forecast_judge(settings: JudgeSettings) -> Forecast:
    """Return what a run would ask and cost. Raises UserError."""
    templates, _ = settings.words()
    tally = SourceTally()
    rows = read_source(settings, templates, tally)
    asked = [request_for(row, templates, settings) for row in rows]
    what = f"{len(rows)} rows to {settings.teacher}"
    return forecast_of(asked, what, settings, notes=tally.lines())


def read_source(settings: JudgeSettings, templates: Templates, tally: SourceTally) -> list[Row]:
    """Return the rows to score."""
    return read_rows(settings.source, templates, method=METHOD, limit=settings.limit, tally=tally)
