"""Task pools: candidates to demonstrate a task, its training queries and its test queries.

The three parts of a pool share no input.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, permutations
from random import Random

from datagen.microworld.rules import RECALL
from datagen.schema import content_id

QUERIES = 50
"""Default number of training queries of a task, and of its test queries."""
HELD = 1000
"""Examples kept for the test, but at most a quarter. They do not depend on how many test queries a
run takes. So no run trains on, or shows, what another run with more test queries measures."""
LEAST_CANDIDATES = 16
"""Least number of demonstrations of a micro-world rule: the most that the default --shots shows."""
LEAST_QUERIES = 4
"""Least number of training queries, and of test queries, of a micro-world rule."""
DRAWN = 300
"""Pairs drawn from a rule, repetitions included."""
ATTEMPTS = 200
"""Rules drawn from a family until there are enough different ones. Some families have only a few,
so the drawing must end."""


@dataclass(frozen=True)
class Example:
    """An input and the output that belongs to it."""

    id: str
    """Hash of the task, the input and the output."""
    input: str
    output: str
    generated: bool = False
    """Whether a teacher wrote it."""


@dataclass(frozen=True)
class Pool:
    """One task. No input stands in two of `candidates`, `train` and `test`, nor twice in one."""

    task: str
    candidates: tuple[Example, ...]
    """Examples that may be shown as demonstrations."""
    train: tuple[Example, ...]
    """Training queries."""
    test: tuple[Example, ...]
    """Test queries."""
    description: str = ""
    """What to do, in one sentence. Empty if only the demonstrations say it."""
    options: tuple[str, ...] = ()
    """The labels of a classification task. Empty for other tasks."""
    family: str = ""
    """Tasks of one family differ only in their parameters or their subject."""


@dataclass(frozen=True)
class Query:
    """A query of a pool."""

    pool: Pool
    example: Example
    number: int
    """Its place among the queries of the run."""


def example(task: str, input: str, output: str, *, generated: bool = False) -> Example:
    """Return an example with its id."""
    return Example(content_id("example", task, input, output), input, output, generated)


def same_input(text: str) -> str:
    """Return what equal inputs have in common. Case and white space make no difference."""
    return " ".join(text.casefold().split())


def repeated(examples: Sequence[Example]) -> int:
    """Return how many examples have the input of another one. `divide` drops them."""
    return len(examples) - len({same_input(e.input) for e in examples})


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
    """Divide the examples of a task into a pool.

    The examples are taken in the order of their hashes. So a test query stays a test query,
    whatever the seed and the number of queries: no run can train on what another one measures. An
    input that comes again is dropped. So is a training example whose input is in the test split.

    Args:
        task: its name.
        examples: of the source.
        test: its test split. Default: test queries are taken from `examples`.
        queries: most training queries, and most test queries. Each part takes at most a quarter.
        most: examples that are kept for the test, however few of them are queries.
        candidates: most candidates; the seed draws them. Default: all.
        seed: of that draw.
        description: see `Pool`.
        options: see `Pool`.
        family: see `Pool`. Default: the task.
    """
    held = distinct(test)
    rest = distinct(examples, apart_from=held)
    if not held:
        # the same examples are held whatever the number of queries
        held, rest = cut(rest, max(queries, most), of=len(rest))
    train, rest = cut(rest, queries, of=len(rest) + len(held))
    # the queries are taken first, so that the seed changes no query
    if candidates is not None and candidates < len(rest):
        rest = Random(f"{seed}:candidates:{task}").sample(rest, candidates)
    return Pool(
        task, tuple(rest), tuple(train), tuple(held[:queries]), description, options, family or task
    )


def cut(examples: list[Example], queries: int, *, of: int) -> tuple[list[Example], list[Example]]:
    """Return the first examples as queries, at most a quarter of `of`; and the other examples."""
    number = min(queries, of // 4)
    return examples[:number], examples[number:]


def distinct(examples: Iterable[Example], *, apart_from: Iterable[Example] = ()) -> list[Example]:
    """Return one example for each input, in the order of the hashes.

    Args:
        examples: of a task.
        apart_from: examples whose inputs are left out.
    """
    # a test input in other letters would still be known
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
    """Return the pools of the micro-world's rules.

    Families of recall are left out: their queries repeat the input of a demonstration. The
    description of a task is a name that says nothing about its rule, in words that the
    micro-world's models know.

    Args:
        split: of the rules.
        per_family: most different rules of each family.
        queries: see `divide`.
        candidates: see `divide`.
        seed: see `divide`.
    """
    from datagen.microworld.rules import FAMILIES
    from datagen.microworld.words import LABELS

    pairs = list(permutations(LABELS, 2))
    # the splits begin at the two ends, so that they share no name as long as pairs are left
    pairs = pairs if split == "train" else pairs[::-1]
    names = (f"Rule: {' '.join(words)}" for words in chain(pairs, permutations(LABELS, 3)))

    pools: list[Pool] = []
    for family in (f for f in FAMILIES if f not in RECALL):
        rng = Random(f"pools:{split}:{family}")
        seen: set[tuple[tuple[str, str], ...]] = set()
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
    """Draw a rule, and return its inputs and outputs.

    Args:
        rng: draws the rule.
        split: of the rules.
        family: of the rule.
        seen: the rules before. The new one is added.

    Returns:
        Nothing, if the rule was seen before or has too few pairs.
    """
    from datagen.microworld.rules import draw

    rule = draw(rng, split, family=family, length=DRAWN)
    pairs = dict(rule.pairs)
    # a rule without a parameter is known by its pairs
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
    """Return the pool of a rule, with at least LEAST_CANDIDATES candidates."""
    most = (len(pairs) - LEAST_CANDIDATES) // 2
    # of the other families the outputs are texts, not labels
    options = tuple(sorted(set(pairs.values()))) if family == "category" else ()
    examples = [example(task, x, y) for x, y in pairs.items()]
    return divide(
        task,
        examples,
        queries=min(queries, most),
        most=most,
        candidates=candidates,
        seed=seed,
        description=description,
        options=options,
        family=family,
    )
