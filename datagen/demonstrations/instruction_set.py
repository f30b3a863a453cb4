"""The pools of a file of instructions with instances: every instruction is a task."""

from __future__ import annotations

from pathlib import Path

from datagen.demonstrations.pools import QUERIES, Example, Pool, divide, example, repeated
from datagen.errors import UserError
from datagen.sources.tally import SourceTally
from datagen.sources.tasks import Task, read_tasks


def instruction_set(
    path: Path,
    *,
    least: int,
    queries: int = QUERIES,
    candidates: int | None = None,
    seed: int = 0,
    tally: SourceTally | None = None,
) -> list[Pool]:
    """Return the pools of a file of instructions with instances.

    Args:
        path: a file of seed tasks with id, instruction and instances.
        least: tasks with fewer candidates are left out.
        queries: see `divide`.
        candidates: see `divide`.
        seed: see `divide`.
        tally: counts the instances, and those that are left out.

    Raises:
        UserError: the file cannot be read, or no task has enough instances.
    """
    tally = tally or SourceTally()
    tasks = read_tasks(path, tally)
    # from here on a row is an instance
    tally.rows = sum(len(task.instances) for task in tasks)

    pools: list[Pool] = []
    for task in tasks:
        examples = examples_of(task)
        tally.left_out["no_input_or_output"] += len(task.instances) - len(examples)
        family = "classification" if task.is_classification else "generation"
        options = tuple(sorted({e.output for e in examples})) if task.is_classification else ()
        pool = divide(
            task.id,
            examples,
            queries=queries,
            candidates=candidates,
            seed=seed,
            description=task.instruction,
            options=options,
            family=family,
        )
        if len(pool.candidates) >= least and pool.train:
            pools.append(pool)
            tally.repeats += repeated(examples)
        else:
            tally.left_out["few_instances"] += len(examples)
    if not pools:
        raise UserError(
            f"{path}: no instruction has instances for {least} demonstrations and a query; ask "
            "for fewer with --shots"
        )
    return pools


def examples_of(task: Task) -> list[Example]:
    """Return the instances of a task that have an input and an output."""
    # an instance without input is the instruction itself, which is no query
    return [example(task.id, i.input, i.output) for i in task.instances if i.input and i.output]
