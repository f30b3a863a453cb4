"""From the settings to the pools of a run, and which of them are kept for the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from datagen.demonstrations.mapping import TaskMap, mapped_pool, names, read_mapping, shipped
from datagen.demonstrations.pools import Pool, instruction_set, microworld
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.errors import UserError
from datagen.schema import content_id


def read_pools(settings: DemonstrationSettings) -> tuple[list[Pool], list[Pool]]:
    """(tasks to build episodes of, tasks held out), by the settings' source, tasks, held_out and
    split.

    With split=test meta-ict builds episodes of the held-out tasks and the others are the second
    list. Raises UserError.
    """
    pools = named(read_source(settings), settings.tasks, "--tasks")
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
    """Raise UserError where labels cannot be replaced."""
    from datagen.microworld.words import LABELS

    flag = f"--labels {settings.labels}"
    if settings.labels != "natural" and not any(len(pool.options) > 1 for pool in pools):
        raise UserError(
            f"{flag}: no task is a classification task with options, so there is no label to "
            "replace"
        )
    for pool in pools if settings.labels == "symbolic" else ():
        symbols = len(set(LABELS) - set(pool.options))
        if len(pool.options) > symbols:
            raise UserError(
                f"{flag}: task {pool.task} has {len(pool.options)} labels, and there are "
                f"{symbols} symbols"
            )


def read_source(settings: DemonstrationSettings) -> list[Pool]:
    """All tasks of the source."""
    sizes = {"queries": settings.queries, "candidates": settings.candidates, "seed": settings.seed}
    if settings.source == "micro":
        unseen = settings.kind == "meta-ict" and settings.split == "test"
        return microworld(split="test" if unseen else "train", per_family=settings.rules, **sizes)  # type: ignore[arg-type]
    if settings.source.endswith(".jsonl"):
        return instruction_set(Path(settings.source), least=max(settings.ks), **sizes)  # type: ignore[arg-type]
    if not (settings.source.endswith((".yaml", ".yml")) or shipped(settings.source)):
        raise UserError(
            f"no source {settings.source!r}: use micro, a mapping ({', '.join(names())}, or a "
            "YAML file) "
            "or a JSONL file of instructions"
        )
    folder, tasks = read_mapping(settings.source)
    chosen = {
        pool.task for pool in named([bare(task) for task in tasks], settings.tasks, "--tasks")
    }
    return [
        mapped_pool(task, folder, data_root=settings.data_root, limit=settings.limit, **sizes)  # type: ignore[arg-type]
        for task in tasks
        if task.task in chosen
    ]


def hold_out(
    pools: Sequence[Pool], settings: DemonstrationSettings
) -> tuple[list[Pool], list[Pool]]:
    """(the tasks that stay, the tasks kept for the test).

    Families are kept whole where there are several.
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
    """Tasks of a fifth of the families, at least one; of the tasks where there is one family.

    By the hash of their names: what one run holds out no other trains on, whatever the seed.
    """
    families = {pool.family for pool in pools}
    units = {pool.task: pool.family if len(families) > 1 else pool.task for pool in pools}
    ordered = sorted(set(units.values()), key=lambda unit: content_id("held out", unit))
    held = set(ordered[: math.ceil(len(ordered) / 5)]) if len(ordered) > 1 else set()
    return {task for task, unit in units.items() if unit in held}


def named(pools: Sequence[Pool], wanted: str, flag: str) -> list[Pool]:
    """The pools whose task, last part of the task, or family is among the names; all where none is
    given.
    """
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    for word in words:
        if not any(word in labels(pool) for pool in pools):
            families = ", ".join(sorted({pool.family for pool in pools}))
            raise UserError(f"{flag} {word}: no such task or family; the families are {families}")
    return [pool for pool in pools if not words or labels(pool) & set(words)]


def labels(pool: Pool) -> set[str]:
    return {pool.task, pool.task.rpartition("/")[2], pool.family}


def bare(task: TaskMap) -> Pool:
    """A pool without examples, to be chosen by name before anything is read."""
    return Pool(task.task, (), (), (), family=task.family or task.task)
