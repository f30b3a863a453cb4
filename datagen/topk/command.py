"""`datagen topk`: a run or a version in, a run of the same rows and the teacher's probabilities
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from datagen.records.serialise import to_json
from datagen.run.derived import derived, read_source
from datagen.run.folder import read_stats
from datagen.run.job import RunResult
from datagen.running import run_coroutine
from datagen.teacher import check_workers, connect
from datagen.teacher.topk import check_topk
from datagen.topk.storing import Storing, finish

PIECES_ON_RAY = 16
"""Pieces under way at once with ray, each on one worker: two for each of eight workers, so that
none waits for its next piece. A piece is a few megabytes."""


@dataclass(frozen=True)
class TopkSettings:
    """Store a teacher's probabilities for the rows of a finished run or a version, for `train
    kd`.
    """

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Rows to extend: a finished run's folder, or a version (NAME@1.0.0, NAME for its newest, or
    its folder)."""
    out: Path | None = None
    """The folder of the new run. Default: runs/SOURCE-topk. The same command again resumes it."""
    teacher: str | None = None
    """Whose probabilities to store: micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH. Default: the
    teacher that wrote the rows."""
    engine: Literal["local", "ray"] = "local"
    """Where the teacher answers: in this process, or on the workers of a Ray cluster. Changes no
    row."""
    workers: int | None = None
    """Number of teachers with ray. By default as many as the cluster's GPUs hold, or one a
    machine."""
    teacher_topk: int = 64
    """How many of the most probable tokens to store for each token of a completion. The
    probability of all other tokens is stored as one number. Each stored token takes 6 bytes, and
    each position 8 more."""
    prompts: bool = False
    """Store the same for the tokens of the student's prompts, demonstrations included. `train kd
    --lm_weight` learns from them."""
    family: str | None = None
    """Whose rows to take where a version holds several families: rationales, instructions or
    demonstrations."""
    store: Path | None = None
    """Folder that holds the versions. Default: $EMERGENT_STORE, else ./datasets."""


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

    identity = run_coroutine(teacher.identify())
    added = {"teacher_topk": settings.teacher_topk, "topk_teacher": identity}
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
            run_coroutine(finish(source.files, out, storing, to_json(source.stats)))

    stats = read_stats(out)
    return RunResult(out, stats, summary(stats, out))


def summary(stats: Mapping[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    found = stats["teacher_topk"]
    cut = (
        f"; {found['cut']:,} rows exceed the teacher's context: stored as far as it reaches"
        if found["cut"]
        else ""
    )
    prompts = f" and {found['prompt_tokens']:,} of prompts" if "prompt_tokens" in found else ""
    return "\n".join(
        [
            f"{found['rows']:,} rows, {found['tokens']:,} tokens{prompts}, the {found['k']} "
            f"most probable of each{cut}",
            f"bytes a token: {found['bytes_per_token']} in memory, "
            f"{found['bytes_per_token_on_disk']} on disk",
            f"written to {out}; next: datagen publish {out} NAME",
        ]
    )
