"""The pools of a run, and the tasks that are kept for the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from datagen.demonstrations.instruction_set import instruction_set
from datagen.demonstrations.mapped import mapped_pool
from datagen.demonstrations.mapping import (
    TaskMap,
    names,
    read_mapping,
    shipped_mapping,
)
from datagen.demonstrations.pools import Pool, microworld
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.errors import UserError
from datagen.schema import content_id
from datagen.sources.files import SUFFIXES, ending
from datagen.sources.tally import SourceTally


def read_pools(
    settings: DemonstrationSettings, tally: SourceTally
) -> tuple[list[Pool], list[Pool]]:
    """Return the tasks to build episodes of, and the other tasks.

    The other tasks are those that are held out. With `--split test` meta-ict builds episodes of the
    held-out tasks, so the two lists change places.

    Raises:
        UserError: the source cannot be read, or has too few tasks or examples.
    """
    pools = named(read_source(settings, tally), settings.tasks, "--tasks")
    # a task needs something to show and something to ask
    pools = [pool for pool in pools if pool.train and pool.candidates]
    if not pools:
        raise UserError(f"{settings.source}: no task has examples for candidates and queries")
    used, held = hold_out(pools, settings)
    if settings.kind == "meta-ict" and settings.split == "test":
        used, held = held, used
    most = max(settings.ks)
    for pool in used:
        if len(pool.candidates) < most:
            have = f"task {pool.task} has {len(pool.candidates)} candidates"
            raise UserError(
                f"{have}, fewer than the {most} demonstrations of --shots: ask for fewer"
            )
    check_labels(used, settings)
    return used, held


def check_labels(pools: Sequence[Pool], settings: DemonstrationSettings) -> None:
    """Raise UserError if --labels asks for other labels and they cannot be replaced."""
    from datagen.microworld.words import LABELS

    flag = f"--labels {settings.labels}"
    if settings.labels != "natural" and not any(len(pool.options) > 1 for pool in pools):
        raise UserError(
            f"{flag}: no task is a classification task with options, so there is no label to "
            "replace"
        )
    if settings.labels != "symbolic":
        return
    for pool in pools:
        symbols = len(set(LABELS) - set(pool.options))
        if len(pool.options) > symbols:
            raise UserError(
                f"{flag}: task {pool.task} has {len(pool.options)} labels, and there are "
                f"{symbols} symbols"
            )


def read_source(settings: DemonstrationSettings, tally: SourceTally) -> list[Pool]:
    """Return the pools of all tasks of the source. Raises UserError."""
    sizes = {"queries": settings.queries, "candidates": settings.candidates, "seed": settings.seed}
    if settings.source == "micro":
        # meta-ict is tested on rules of another split, which no training run has seen
        unseen = settings.kind == "meta-ict" and settings.split == "test"
        return microworld(split="test" if unseen else "train", per_family=settings.rules, **sizes)  # type: ignore[arg-type]
    if ending(Path(settings.source)) in SUFFIXES:
        least = max(settings.ks)
        return instruction_set(Path(settings.source), least=least, tally=tally, **sizes)  # type: ignore[arg-type]
    if not (settings.source.endswith((".yaml", ".yml")) or shipped_mapping(settings.source)):
        raise UserError(
            f"no source {settings.source!r}: use micro, a mapping ({', '.join(names())}, or a "
            "YAML file) or a file of instructions ({', '.join(SUFFIXES)})"
        )
    # only the tasks that are wanted are read: a mapping may name hundreds of files
    folder, tasks = read_mapping(settings.source)
    chosen = {
        pool.task for pool in named([bare(task) for task in tasks], settings.tasks, "--tasks")
    }
    read = partial(mapped_pool, folder=folder, data_root=settings.data_root, tally=tally)
    return [
        read(task, limit=settings.limit, **sizes)  # type: ignore[arg-type]
        for task in tasks
        if task.task in chosen
    ]


def hold_out(
    pools: Sequence[Pool], settings: DemonstrationSettings
) -> tuple[list[Pool], list[Pool]]:
    """Return the tasks that stay, and the tasks that are kept for the test.

    Families stay whole if there are several. Otherwise a test task would be much like a training
    task.

    Raises:
        UserError: no task stays, or meta-ict holds none out.
    """
    if settings.held_out:
        held = {pool.task for pool in named(pools, settings.held_out, "--held_out")}
    elif settings.kind == "meta-ict":
        held = a_fifth(pools)
    else:
        held = set()
    used = [pool for pool in pools if pool.task not in held]
    if not used or (settings.kind == "meta-ict" and not held):
        raise UserError(
            f"{settings.source}: meta-ict needs one task to train on and another for the test, "
            "at least"
        )
    return used, [pool for pool in pools if pool.task in held]


def a_fifth(pools: Sequence[Pool]) -> set[str]:
    """Return the tasks of a fifth of the families, at least one. In a single family, of the tasks.

    They are chosen by a hash of their names. So what one run holds out, no other run trains on,
    whatever the seed.
    """
    families = {pool.family for pool in pools}
    # a single family cannot be held out whole
    units = {pool.task: pool.family if len(families) > 1 else pool.task for pool in pools}
    ordered = sorted(set(units.values()), key=lambda unit: content_id("held out", unit))
    held = set(ordered[: math.ceil(len(ordered) / 5)]) if len(ordered) > 1 else set()
    return {task for task, unit in units.items() if unit in held}


def named(pools: Sequence[Pool], wanted: str, flag: str) -> list[Pool]:
    """Return the pools of the wanted tasks or families; all pools if none is wanted.

    Args:
        pools: of the source.
        wanted: names with commas between them: tasks, last parts of tasks, or families.
        flag: the flag that names them, for the message.

    Raises:
        UserError: a name is unknown.
    """
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    for word in words:
        if not any(word in names_of(pool) for pool in pools):
            families = ", ".join(sorted({pool.family for pool in pools}))
            raise UserError(f"{flag} {word}: no such task or family; the families are {families}")
    return [pool for pool in pools if not words or names_of(pool) & set(words)]


def names_of(pool: Pool) -> set[str]:
    """Return the names by which a pool can be wanted."""
    return {pool.task, pool.task.rpartition("/")[2], pool.family}


def bare(task: TaskMap) -> Pool:
    """Return a pool without examples, to be chosen by name before anything is read."""
    return Pool(task.task, (), (), (), family=task.family or task.task)
