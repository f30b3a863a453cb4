"""`datagen demonstrations`: reads tasks, and writes a run folder of episodes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from datagen.demonstrations.episode import Plan, student_text, teacher_text
from datagen.demonstrations.generate import distil
from datagen.demonstrations.pools import Example, Pool, Query
from datagen.demonstrations.rows import METHOD, describe
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.demonstrations.sources import read_pools
from datagen.demonstrations.statistics import statistics
from datagen.demonstrations.written import Written, writing_prompt
from datagen.prompts.episodes import Format
from datagen.run.job import Job, RunResult, counted, run_job, source_lines
from datagen.sources.tally import SourceTally
from datagen.teacher import Request, Sampling, Teacher
from datagen.teacher.base import transcript
from datagen.teacher.chat.kept import reasoning_lines, without_default
from datagen.teacher.cost.budget import format_spending
from datagen.teacher.cost.forecast import Forecast, forecast_of
from datagen.teacher.settings import UNRECORDED

NOT_IN_CONFIG = UNRECORDED | {"data_root", "source", "split", "tasks", "held_out"}
"""Settings that change no row, and those that the configuration records in another form."""


def run_demonstrations(settings: DemonstrationSettings) -> RunResult:
    """Build the episodes of every query. Raises UserError."""
    tally = SourceTally()
    queries, held = read_source(settings, tally)
    out = settings.out or Path("runs") / f"{Path(settings.source).stem}-{settings.kind}"
    teacher = settings.connect(out)
    plan = plan_of(settings, teacher)

    return run_job(
        Job(
            method=METHOD,
            family="demonstrations",
            out=out,
            teacher=teacher,
            teacher_license=settings.teacher_license,
            account=settings.account(),
            source=source_of(queries, held, settings),
            read=tally.counts(),
            settings=recorded(plan),
            prompts=recorded_prompts(plan),
            work=lambda run, teacher: run.each(
                queries,
                partial(distil, plan=plan),
                teacher=teacher,
                describe=partial(describe, plan=plan),
                statistics=statistics,
                concurrency=settings.under_way,
            ),
            summarise=summary,
        )
    )


def forecast_demonstrations(settings: DemonstrationSettings) -> Forecast:
    """Return what the predictions of a run would ask and cost. Raises UserError.

    Nothing is chosen yet, so the prompts show the first candidates of each pool.
    """
    tally = SourceTally()
    queries, _ = read_source(settings, tally)
    plan = plan_of(settings, settings.connect(settings.out or Path("runs")))
    sampling = Sampling(temperature=0, max_tokens=settings.max_tokens)
    asked: list[Request] = []
    for query in queries:
        texts = [teacher_text(query, query.pool.candidates[:k], plan) for k in settings.ks]
        asked += [Request(text, sampling=sampling) for text in texts]

    votes = settings.votes if settings.kind == "multitask-ict" else 1
    forecast = forecast_of(
        asked,
        f"{len(queries):,} queries × {settings.episodes} to {settings.teacher}",
        settings,
        calls=len(queries) * settings.episodes * votes,
        bound="at least ",
        notes=["on top:    what a strategy scores and --generate writes", *tally.lines()],
    )
    return replace(forecast, prompts=tuple(example_prompts(queries[:2], plan)))


def example_prompts(queries: Sequence[Query], plan: Plan) -> list[str]:
    """Return what teacher and student are asked, for a few queries."""
    found: list[str] = []
    for query in queries:
        demonstrations = query.pool.candidates[: max(plan.settings.ks)]
        # the gold answer shows a reader at once whether the prompt makes sense
        about = f"{query.pool.task} (gold: {query.example.output}), asked of the teacher"
        found += [
            f"{about}\n{teacher_text(query, demonstrations, plan)}",
            f"asked of the student\n{student_text(query, demonstrations, plan)}",
        ]
    return found


def read_source(
    settings: DemonstrationSettings, tally: SourceTally
) -> tuple[list[Query], Sequence[Pool]]:
    """Return the queries in turn, and the pools that are held out. Raises UserError."""
    from datagen.demonstrations.selection.select import check  # takes numpy with it

    used, held = read_pools(settings, tally)
    # checked before anything is asked
    check(settings.strategy, used, split=settings.split)
    format = Format(format_name(settings))
    for pool in used:
        examples = (*pool.candidates, *queries_of(pool, settings.split))
        format.check(pool.task, ((e.input, e.output) for e in examples))
    return in_turn(used, settings.split), held


def plan_of(settings: DemonstrationSettings, teacher: Teacher) -> Plan:
    """Return what all episodes of a run share. Raises UserError."""
    from datagen.demonstrations.selection.chooser import Chooser  # takes numpy with it

    format = Format(format_name(settings))
    count = counter(teacher)
    return Plan(settings, format, Chooser(settings, format), count, Written())


def format_name(settings: DemonstrationSettings) -> str:
    """Return the name of the format. The micro-world's models know only their own."""
    if settings.format != "auto":
        return settings.format
    return "arrow" if settings.source == "micro" else "qa"


def queries_of(pool: Pool, split: str) -> tuple[Example, ...]:
    """Return the queries of a split."""
    return pool.train if split == "train" else pool.test


def in_turn(pools: Sequence[Pool], split: str) -> list[Query]:
    """Return the first query of every task, then the second of every task, and so on.

    So a run that is stopped has seen all tasks.
    """
    lists: list[list[Query]] = []
    for place, pool in enumerate(pools):
        examples = queries_of(pool, split)
        lists.append([Query(pool, e, place + number) for number, e in enumerate(examples)])
    return [query for query in chain.from_iterable(zip_longest(*lists)) if query is not None]


def counter(teacher: Any) -> Callable[[str], int]:
    """Return what counts the tokens of a text: the teacher's tokenizer, if it runs here.

    Otherwise four characters count as a token, as in English.
    """
    if not teacher.capabilities.tokenizer:
        return lambda text: math.ceil(len(text) / 4)
    return lambda text: len(teacher.load_tokenizer()(text).input_ids)


def source_of(
    queries: Sequence[Query], held: Sequence[Pool], settings: DemonstrationSettings
) -> dict[str, Any]:
    """Return what the configuration says of the tasks: their names, and a hash of all examples."""
    digest = hashlib.sha256()
    pools = {query.pool.task: query.pool for query in queries}
    for pool in pools.values():
        examples = [[e.id for e in part] for part in (pool.candidates, pool.train, pool.test)]
        parts = [pool.task, pool.description, pool.options, *examples]
        digest.update(json.dumps(parts).encode("utf-8", "surrogatepass"))
    return {
        "suite": Path(settings.source).name,
        "hub": None,
        "split": settings.split,
        "tasks": sorted(pools),
        "held_out": sorted(pool.task for pool in held),
        "questions": len(queries),
        "sha256": digest.hexdigest(),
    }


def recorded(plan: Plan) -> dict[str, Any]:
    """Return the settings that decide the rows."""
    settings = plan.settings
    values = {name: value for name, value in vars(settings).items() if name not in NOT_IN_CONFIG}
    return without_default(settings, values) | {
        "shots": list(settings.ks),
        "format": plan.format.name,
    }


def recorded_prompts(plan: Plan) -> dict[str, str]:
    """Return the prompts of a run by name, with fields in the place of the task's texts."""
    settings = plan.settings
    format = plan.format
    style = settings.prompt_style
    pairs = [("{first input}", "{first output}"), ("{second input}", "{second output}")]
    description = "{description}" if settings.describe == "always" else ""
    query = format.prompt(pairs, "{query}", description=description, style=style)
    found = {"query": transcript(query)}
    if settings.generate:
        asked = writing_prompt(format, pairs, "{description}", plain=style == "plain")
        found["one more demonstration"] = transcript(asked)
    return found


def summary(stats: dict[str, Any], out: Path) -> str:
    """Return the closing lines of a run."""
    accuracy = ", ".join(
        f"k={k} {found['accuracy']:.3f} of {found['episodes']:,}"
        for k, found in stats["accuracy"].items()
    )
    lines = [
        f"{stats['questions']:,} queries of {len(stats['tasks']):,} tasks in "
        f"{stats['seconds']:,} s",
        f"accepted:  {stats['accepted'].get('demonstrations', 0):,} episodes",
        f"rejected:  {counted(stats['rejected'])}",
        f"accuracy:  {accuracy}",
        *reasoning_lines(stats),
        format_spending(stats),
        *source_lines(stats),
        f"written to {out}; next: datagen publish {out} NAME",
    ]
    return "\n".join(lines)
