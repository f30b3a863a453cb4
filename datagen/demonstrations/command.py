"""`datagen demonstrations`: tasks in, a run folder of episodes out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import datagen
from datagen.demonstrations.formats import Format
from datagen.demonstrations.generate import (
    METHOD,
    Plan,
    Query,
    describe,
    distil,
    student_text,
    teacher_text,
)
from datagen.demonstrations.pools import Example, Pool
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.demonstrations.sources import read_pools
from datagen.demonstrations.statistics import statistics
from datagen.demonstrations.written import Written
from datagen.run import Run
from datagen.teacher import Request, Sampling, Teacher
from datagen.teacher.budget import spending
from datagen.teacher.forecast import forecast
from datagen.teacher.settings import UNRECORDED

NOT_IN_CONFIG = UNRECORDED | {"data_root", "source", "split", "tasks", "held_out"}
"""Settings that change no row, and those that the configuration records in another form."""


def demonstrations(settings: DemonstrationSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    from datagen.demonstrations.choosing import Chooser  # takes numpy with it
    from datagen.demonstrations.select import check

    used, held = read_pools(settings)
    check(settings.strategy, used, split=settings.split)
    format = Format(format_name(settings))
    for pool in used:
        format.check(
            pool.task,
            ((e.input, e.output) for e in (*pool.candidates, *queries_of(pool, settings.split))),
        )
    out = settings.out or Path("runs") / f"{Path(settings.source).stem}-{settings.kind}"
    teacher = settings.connect(out)
    plan = Plan(settings, format, Chooser(settings, format), counter(teacher, settings), Written())
    queries = in_turn(used, settings.split)
    if settings.dry_run:
        preview(queries, plan)
        return
    print(summary(asyncio.run(generate(queries, held, plan, teacher, out)), out))


async def generate(
    queries: list[Query], held: Sequence[Pool], plan: Plan, teacher: Teacher, out: Path
) -> dict[str, Any]:
    await asyncio.to_thread(lambda: teacher.identity)
    with Run(
        out,
        configuration(queries, held, plan, teacher),
        family="demonstrations",
        account=plan.settings.account(),
    ) as run:
        return await run.each(
            queries,
            partial(distil, plan=plan),
            teacher=teacher,
            describe=partial(describe, plan=plan),
            statistics=statistics,
            concurrency=plan.settings.under_way,
        )


def format_name(settings: DemonstrationSettings) -> str:
    if settings.format != "auto":
        return settings.format
    return "arrow" if settings.source == "micro" else "qa"


def queries_of(pool: Pool, split: str) -> tuple[Example, ...]:
    return pool.train if split == "train" else pool.test


def in_turn(pools: Sequence[Pool], split: str) -> list[Query]:
    """The first query of every task, then the second of every task: a run that is stopped has seen
    all tasks."""
    lists = [
        [Query(pool, e, place + number) for number, e in enumerate(queries_of(pool, split))]
        for place, pool in enumerate(pools)
    ]
    return [query for query in chain.from_iterable(zip_longest(*lists)) if query is not None]


def counter(teacher: Teacher, settings: DemonstrationSettings) -> Any:
    """Tokens of a text, by the teacher's tokenizer where it runs here; else a quarter of the
    characters."""
    if not hasattr(teacher, "tokenizer"):
        return lambda text: math.ceil(len(text) / 4)
    return lambda text: len(teacher.tokenizer(text).input_ids)


def configuration(
    queries: list[Query], held: Sequence[Pool], plan: Plan, teacher: Teacher
) -> dict[str, Any]:
    """What decides the rows, and nothing else: no machine paths, no keys, no speed settings."""
    settings, digest = plan.settings, hashlib.sha256()
    pools = {query.pool.task: query.pool for query in queries}
    for pool in pools.values():
        parts = [
            pool.task,
            pool.description,
            pool.options,
            *([e.id for e in part] for part in (pool.candidates, pool.train, pool.test)),
        ]
        digest.update(json.dumps(parts).encode("utf-8", "surrogatepass"))
    values = {k: v for k, v in vars(settings).items() if k not in NOT_IN_CONFIG}
    return {
        "method": METHOD,
        "code_version": datagen.__version__,
        "teacher": {"name": teacher.name, "identity": teacher.identity, "license": None},
        "source": {
            "suite": Path(settings.source).name,
            "hub": None,
            "split": settings.split,
            "tasks": sorted(pools),
            "held_out": sorted(pool.task for pool in held),
            "questions": len(queries),
            "sha256": digest.hexdigest(),
        },
        "settings": values | {"shots": list(settings.ks), "format": plan.format.name},
    }


def preview(queries: Sequence[Query], plan: Plan) -> None:
    """The first prompts, with the candidates that come first in place of chosen ones."""
    for query in queries[:2]:
        shown = query.pool.candidates[: max(plan.settings.ks)]
        print(f"--- {query.pool.task} (gold: {query.example.output}), asked of the teacher")
        print(teacher_text(query, shown, plan))
        print(f"--- asked of the student\n{student_text(query, shown, plan)}")
    print(
        f"---\n{len(queries):,} queries × {plan.settings.episodes} to {plan.settings.teacher}; nothing was asked."
    )
    print(
        *predictions(queries, plan),
        "on top:    what a strategy scores and --generate writes",
        sep="\n",
    )


def predictions(queries: Sequence[Query], plan: Plan) -> list[str]:
    """The forecast of the greedy predictions, each with the first demonstrations that there are."""
    settings = plan.settings
    sampling = Sampling(temperature=0, max_tokens=settings.max_tokens)
    asked = [
        Request(teacher_text(query, query.pool.candidates[:k], plan), sampling=sampling)
        for query in queries
        for k in settings.ks
    ]
    votes = settings.votes if settings.kind == "multitask-ict" else 1
    return forecast(
        asked, settings, calls=len(queries) * settings.episodes * votes, bound="at least "
    )


def summary(stats: dict[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    rejected = (
        ", ".join(f"{reason} {number:,}" for reason, number in stats["rejected"].items()) or "none"
    )
    lines = [
        f"{stats['questions']:,} queries of {len(stats['tasks']):,} tasks in {stats['seconds']:,} s",
        f"accepted:  {stats['accepted'].get('demonstrations', 0):,} episodes",
        f"rejected:  {rejected}",
        "accuracy:  "
        + ", ".join(
            f"k={k} {v['accuracy']:.3f} of {v['episodes']:,}" for k, v in stats["accuracy"].items()
        ),
        spending(stats),
        f"written to {out}; next: datagen publish {out} NAME",
    ]
    return "\n".join(lines)
