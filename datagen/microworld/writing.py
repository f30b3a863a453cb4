"""Writing tasks: what a teacher of the micro-world is asked by Self-Instruct and Evol-Instruct, and
how it answers.

Each function returns the fields of a template of `datagen/instructions/templates/micro` and the
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from datagen.microworld.instructions import OPERATIONS, Instruction, apply, draw, draw_items, say
from datagen.microworld.splits import split_of
from datagen.microworld.words import CATEGORIES, LABELS, WORDS

Fields = dict[str, str]
MOST_OPERATIONS = 3
LONGEST = 8


@dataclass(frozen=True)
class Task:
    """An instruction as a person would file it.

    `examples` are pairs of input and output; the input may be empty.
    """

    instruction: str
    examples: tuple[tuple[str, str], ...]
    is_classification: bool = False


def task(rng: Random, split: str) -> Task:
    """A task that carries its list, a task that takes a list, or one that labels lists."""
    way = rng.random()
    if way < 0.8:
        carried = draw(rng, split, operations=rng.choice((1, 1, 1, 2, 2, 3)))
        return Task(carried.instruction, (("", carried.answer),))
    return labelling(rng, split) if way < 0.92 else _open(rng, split)


def labelling(rng: Random, split: str) -> Task:
    """A task such as "Answer dax if any fruit, wug otherwise", with an example of each label."""
    while True:
        category, (yes, no) = rng.choice(sorted(CATEGORIES)), rng.sample(LABELS, 2)
        if split_of(f"label:{category}:{yes}:{no}") == split:
            break
    inside, outside = (
        CATEGORIES[category],
        [word for word in WORDS if word not in CATEGORIES[category]],
    )
    examples = []
    for label in rng.sample((yes, no), 2):
        words = rng.sample(outside, rng.randint(2, 4))
        if label == yes:
            words[rng.randrange(len(words))] = rng.choice(inside)
        examples.append((", ".join(words), label))
    return Task(
        f"Answer {yes} if any {category}, {no} otherwise", tuple(examples), is_classification=True
    )


def _open(rng: Random, split: str) -> Task:
    """One or two operations without a list, and two lists for them."""
    first = draw(rng, split, operations=rng.choice((1, 2)))
    kind = "numbers" if first.items[0].isdigit() else "words"
    lists = [first.items]
    while len(lists) < 2:
        items = draw_items(rng, kind, first.operations)
        if (
            split_of(f"{first.operations}{items}") == split
            and apply(first.operations, items) is not None
        ):
            lists.append(items)
    examples = [(", ".join(items), apply(first.operations, items) or "") for items in lists]
    return Task(first.instruction.partition(":")[0], tuple(examples))


def series(rng: Random, split: str, *, count: int) -> str:
    """`count` tasks, numbered a line each."""
    tasks = [task(rng, split).instruction for _ in range(count)]
    return "".join(f"Task {i}: {text}\n" for i, text in enumerate(tasks, 1))


def add_operation(rng: Random, split: str, *, front: bool = False) -> tuple[Fields, str]:
    """The same list and operations, and one operation more, after them or before."""
    while True:
        harder = draw(rng, split, operations=rng.choice((2, 2, 3)))
        kept = harder.operations[1:] if front else harder.operations[:-1]
        if not OPERATIONS[kept[-1]].last or front:
            break
    phrases = [
        next(p for p in OPERATIONS[name].phrases if p in harder.instruction) for name in kept
    ]
    return {"instruction": _say(phrases, harder.items)}, harder.instruction


def lengthen(rng: Random, split: str) -> tuple[Fields, str]:
    """The same operations on the same list and one or two items more."""
    while True:
        longer = draw(rng, split, operations=rng.choice((1, 2, 3)), shortest=4, longest=LONGEST)
        items = longer.items[: len(longer.items) - rng.choice((1, 2))]
        if len(items) >= 3 and apply(longer.operations, items) is not None:
            break
    head = longer.instruction.partition(":")[0]
    return {"instruction": f"{head}: {', '.join(items)}"}, longer.instruction


def alike(rng: Random, split: str) -> tuple[Fields, str]:
    """Another task of as many operations."""
    count = rng.choice((1, 2, 3))
    example, written = draw(rng, split, operations=count), draw(rng, split, operations=count)
    return {"instruction": example.instruction}, written.instruction


EVOLUTIONS: dict[str, Callable[[Random, str], tuple[Fields, str]]] = {
    "constraints": lambda rng, split: add_operation(rng, split),
    "deepen": lambda rng, split: add_operation(rng, split, front=True),
    "complicate_input": lengthen,
    "breadth": alike,
}


def same(rng: Random, split: str) -> tuple[Fields, str]:
    """Whether two tasks ask for the same: Yes for the same operations and list, however they are
    said.
    """
    first = draw(rng, split, operations=rng.choice((1, 2, 3)))
    if rng.random() < 0.4:
        return {
            "first": first.instruction,
            "second": say(rng, first.operations, first.items),
        }, "Yes."
    second = _other(rng, split, first)
    return {"first": first.instruction, "second": second}, "No."


def _other(rng: Random, split: str, first: Instruction) -> str:
    """A task that differs by an operation, by the list or by all of it."""
    names, way = first.operations, rng.random()
    kind = "numbers" if first.items[0].isdigit() else "words"
    if way < 0.4 and not OPERATIONS[names[-1]].last:
        names = draw(rng, split, operations=1, kind=kind).operations if len(names) > 1 else names
        more = draw(rng, split, operations=1, kind=kind).operations
        return say(rng, (*names, *more), first.items)
    if way < 0.7:
        return say(rng, names, (*first.items, *draw_items(rng, kind, names)[:2]))
    return draw(rng, split, operations=rng.choice((1, 2, 3))).instruction


def difficulty(rng: Random, split: str) -> tuple[Fields, str]:
    """Three points an operation and one for a list of five items or more, as "Score: 4"."""
    asked = draw(rng, split, operations=rng.choice((1, 2, 3)), longest=LONGEST)
    return {
        "instruction": asked.instruction
    }, f"Score: {3 * len(asked.operations) + (len(asked.items) >= 5)}"


def classify(rng: Random, split: str) -> tuple[Fields, str]:
    """Whether a task is a classification; as many of either kind."""
    asked = labelling(rng, split) if rng.random() < 0.5 else task(rng, split)
    return {"instruction": asked.instruction}, " Yes" if asked.is_classification else " No"


def examples(rng: Random, split: str) -> tuple[str, Fields, str]:
    """The template's name, its fields and instances of a task: output first for a
    classification.
    """
    asked = labelling(rng, split) if rng.random() < 0.3 else task(rng, split)
    if asked.is_classification:
        text = "".join(f"Class label: {label}\nInput: {given}\n" for given, label in asked.examples)
        return "output_first", {"instruction": asked.instruction}, text
    pairs = [
        (f"Input: {given}\n" if given else "") + f"Output: {output}\n"
        for given, output in asked.examples
    ]
    return "input_first", {"instruction": asked.instruction}, "".join(pairs)


def _say(phrases: Sequence[str], items: Sequence[str]) -> str:
    text = (
        phrases[0][0].upper() + phrases[0][1:]
        if len(phrases) == 1
        else "First " + ", then ".join(phrases)
    )
    return f"{text}: {', '.join(items)}"
