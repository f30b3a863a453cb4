"""`datagen topk`: reads a run or a version, and writes the same rows with probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datagen.records.serialise import to_json
from datagen.run.derived import derived, read_source
from datagen.run.folder import read_stats
from datagen.run.job import RunResult
from datagen.running import run_coroutine
from datagen.teacher import check_workers, connect
from datagen.teacher.topk import check_topk
from datagen.topk.settings import TopkSettings
from datagen.topk.storing import Storing, store_topk_columns

PIECES_ON_RAY = 16
"""Pieces under way at once with ray, each on one worker. That is two for each of eight workers, so
that none waits for its next piece."""


def run_topk(settings: TopkSettings) -> RunResult:
    """Store the teacher's probabilities of every row. Raises UserError."""
    check_workers(settings.workers)
    source = read_source(settings.source, store=settings.store, family=settings.family)
    out = settings.out or Path("runs") / f"{source.name}-topk"
    teacher: Any = connect(
        settings.teacher or source.config.teacher.name,
        engine=settings.engine,
        workers=settings.workers,
    )
    check_topk(teacher, settings.teacher_topk)

    # other weights under the same name are another teacher, so the run is another run
    identity = run_coroutine(teacher.identify())
    added = {"teacher_topk": settings.teacher_topk, "topk_teacher": identity}
    # runs from before this setting existed do not have it, and must be resumable
    if settings.prompts:
        added["topk_prompts"] = True
    storing = Storing(
        teacher,
        settings.teacher_topk,
        settings.prompts,
        pieces_at_once=PIECES_ON_RAY if settings.engine == "ray" else 1,
    )
    with derived(source, out, added) as unfinished:
        if unfinished:
            before = to_json(source.stats)
            run_coroutine(store_topk_columns(source.files, out, storing, before))

    stats = read_stats(out)
    return RunResult(out, stats, summary(stats, out))


def summary(stats: Mapping[str, Any], out: Path) -> str:
    """Return the closing lines of a run."""
    found = stats["teacher_topk"]
    cut = ""
    if found["cut"]:
        cut = f"; {found['cut']:,} rows exceed the teacher's context: stored as far as it reaches"
    prompts = f" and {found['prompt_tokens']:,} of prompts" if "prompt_tokens" in found else ""
    lines = [
        f"{found['rows']:,} rows, {found['tokens']:,} tokens{prompts}, the {found['k']} "
        f"most probable of each{cut}",
        f"bytes a token: {found['bytes_per_token']} in memory, "
        f"{found['bytes_per_token_on_disk']} on disk",
        f"written to {out}; next: datagen publish {out} NAME",
    ]
    return "\n".join(lines)
