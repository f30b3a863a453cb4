"""Task pools: for every task candidates to demonstrate it, training queries and test queries,
disjoint by content.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, permutations
from pathlib import Path
from random import Random

from datagen.errors import UserError
from datagen.microworld.rules import RECALL
from datagen.schema import content_id

QUERIES = 50
"""Training queries of a task, and as many test queries, where the settings say nothing."""
HELD = 1000
"""Examples kept for the test, a quarter at most, however few test queries a run takes of them: what
a run with more queries measures, no run with fewer trains on or shows."""
LEAST_CANDIDATES = 16
"""A rule of the micro-world is a pool only where so many demonstrations and a few queries can be
made of it."""
LEAST_QUERIES = 4
DRAWN = 300
"""Pairs drawn of a rule, repetitions included."""
ATTEMPTS = 200
"""Rules drawn of a family until there are enough different ones: some families have few."""


@dataclass(frozen=True)
class Example:
    """An input and the output that belongs to it."""

    id: str
    """Hash of the task, the input and the output."""
    input: str
    output: str
    generated: bool = False
    """Written by a teacher."""


@dataclass(frozen=True)
class Pool:
    """One task.

    No input of `candidates`, `train` and `test` is found in another of the three, nor twice in one.
    """

    task: str
    candidates: tuple[Example, ...]
    """What may be shown."""
    train: tuple[Example, ...]
    """Training queries."""
    test: tuple[Example, ...]
    """Test queries."""
    description: str = ""
    """What to do, in a sentence; empty where only the demonstrations say it."""
    options: tuple[str, ...] = ()
    """The outputs there are, of a classification task; empty for others."""
    family: str = ""
    """Tasks of one family differ in their parameters or their subject only."""


@dataclass(frozen=True)
class Query:
    """A query of a pool; `number` is its place among the run's queries."""

    pool: Pool
    example: Example
    number: int


def example(task: str, input: str, output: str, *, generated: bool = False) -> Example:
    return Example(content_id("example", task, input, output), input, output, generated)


def same_input(text: str) -> str:
    """What two inputs share that count as the same: upper and lower case and white space make no
    difference.
    """
    return " ".join(text.casefold().split())


def divide(
    task: str,
    examples: Iterable[Example],
    *,
    test: Iterable[Example] = (),
    queries: int = QUERIES,
    most: int = HELD,
    candidates: int | None = None,
    seed: int = 0,
    description: str = "",
    options: tuple[str, ...] = (),
    family: str = "",
) -> Pool:
    """The pool of a task.

    Without a `test` split of the source its test queries are taken from `examples`.

    Each part of the queries takes at most a quarter of the examples. The order is that of the
    examples' hashes, and up to `most` examples are kept for the test: a test query stays one
    whatever the seed and the number of queries, so no run can train on what another one measures.
    The seed draws the candidates where there are more than `candidates`. An input that comes again
    is dropped, as is a training example whose input is in the test split.
    """
    held = distinct(test)
    rest = distinct(examples, apart_from=held)
    if not held:
        held, rest = cut(rest, max(queries, most), of=len(rest))
    train, rest = cut(rest, queries, of=len(rest) + len(held))
    if candidates is not None and candidates < len(rest):
        rest = Random(f"{seed}:candidates:{task}").sample(rest, candidates)
    return Pool(
        task, tuple(rest), tuple(train), tuple(held[:queries]), description, options, family or task
    )


def cut(examples: list[Example], queries: int, *, of: int) -> tuple[list[Example], list[Example]]:
    number = min(queries, of // 4)
    return examples[:number], examples[number:]


def distinct(examples: Iterable[Example], *, apart_from: Iterable[Example] = ()) -> list[Example]:
    """One example an input, in the order of the hashes; none whose input is in `apart_from`."""
    taken = {same_input(e.input) for e in apart_from}
    found: dict[str, Example] = {}
    for e in sorted(examples, key=lambda e: e.id):
        key = same_input(e.input)
        if key not in taken:
            found.setdefault(key, e)
    return list(found.values())


def microworld(
    *,
    split: str = "train",
    per_family: int = 8,
    queries: int = QUERIES,
    candidates: int | None = None,
    seed: int = 0,
) -> list[Pool]:
    """Up to `per_family` different rules of a split for every family of the micro-world but those
    of recall.

    A task's description is a name that says nothing of its rule, in words that the micro-world's
    models know.
    """
    from datagen.microworld.rules import FAMILIES
    from datagen.microworld.words import LABELS

    pairs = list(permutations(LABELS, 2))
    more = permutations(LABELS, 3)  # where rules outnumber pairs; then the two splits share names
    names = (
        f"Rule: {' '.join(words)}"
        for words in chain(pairs if split == "train" else reversed(pairs), more)
    )
    pools = []
    for family in (f for f in FAMILIES if f not in RECALL):
        rng, seen = Random(f"pools:{split}:{family}"), set[tuple[tuple[str, str], ...]]()
        for _ in range(ATTEMPTS):
            pairs_of_rule = distinct_rule(rng, split, family, seen)
            if pairs_of_rule and len(seen) <= per_family:
                task = f"microworld/{family}-{len(seen)}"
                pools.append(
                    rule_pool(task, family, pairs_of_rule, next(names), queries, candidates, seed)
                )
    return pools


def distinct_rule(
    rng: Random, split: str, family: str, seen: set[tuple[tuple[str, str], ...]]
) -> dict[str, str]:
    """Inputs and outputs of a rule that is not in `seen`, where it is put; empty where it was, or
    where the rule gives too few of them.
    """
    from datagen.microworld.rules import draw

    rule = draw(rng, split, family=family, length=DRAWN)
    pairs = dict(rule.pairs)
    signature = ((rule.family, rule.rule),) if rule.rule != family else tuple(sorted(pairs.items()))
    if signature in seen or len(pairs) < LEAST_CANDIDATES + 2 * LEAST_QUERIES:
        return {}
    seen.add(signature)
    return pairs


def rule_pool(
    task: str,
    family: str,
    pairs: dict[str, str],
    description: str,
    queries: int,
    candidates: int | None,
    seed: int,
) -> Pool:
    most = (len(pairs) - LEAST_CANDIDATES) // 2
    options = tuple(sorted(set(pairs.values()))) if family == "category" else ()
    examples = [example(task, x, y) for x, y in pairs.items()]
    return divide(
        task, examples, queries=min(queries, most), most=most, candidates=candidates, seed=seed,
        description=description, options=options, family=family,
    )  # fmt: skip


def instruction_set(
    path: Path, *, least: int, queries: int = QUERIES, candidates: int | None = None, seed: int = 0
) -> list[Pool]:
    """The tasks of a file of instructions with instances (JSONL: id, instruction, instances) that
    have `least` candidates or more beside their queries. Raises UserError where there is none.
    """
    from datagen.sources.tasks import read_tasks

    pools = []
    for task in read_tasks(path):
        examples = [
            example(task.id, i.input, i.output) for i in task.instances if i.input and i.output
        ]
        family = "classification" if task.is_classification else "generation"
        options = tuple(sorted({e.output for e in examples})) if task.is_classification else ()
        pool = divide(
            task.id, examples, queries=queries, candidates=candidates, seed=seed,
            description=task.instruction, options=options, family=family,
        )  # fmt: skip
        if len(pool.candidates) >= least and pool.train:
            pools.append(pool)
    if not pools:
        raise UserError(
            f"{path}: no instruction has instances for {least} demonstrations and a query; ask "
            "for fewer with --shots"
        )
    return pools
