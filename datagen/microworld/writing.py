"""Generate what Self-Instruct and Evol-Instruct ask a teacher of the micro-world, with the answers.

Most functions return the fields of a template of `datagen/prompts/templates/micro`, and the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from datagen.microworld.instructions import (
    OPERATIONS,
    Instruction,
    apply,
    draw,
    draw_items,
    join_phrases,
    say,
)
from datagen.microworld.splits import split_of
from datagen.microworld.words import CATEGORIES, LABELS, WORDS

Fields = dict[str, str]
"""The values of a template's fields by name."""
LONGEST = 8
"""Items of the longest list. The lists of `instructions` have up to six, so evolved tasks can have
longer ones."""


@dataclass(frozen=True)
class Task:
    """An instruction with examples of inputs and outputs. An input can be empty."""

    instruction: str
    examples: tuple[tuple[str, str], ...]
    is_classification: bool = False


def task(rng: Random, split: str) -> Task:
    """Draw a task that contains its list, a task that takes a list, or a task that labels lists."""
    # Most seeds are short and contain their list, so most new tasks should as well.
    kind = rng.random()
    if kind < 0.8:
        complete = draw(rng, split, operations=rng.choice((1, 1, 1, 2, 2, 3)))
        return Task(complete.instruction, (("", complete.answer),))
    return labelling(rng, split) if kind < 0.92 else _open(rng, split)


def labelling(rng: Random, split: str) -> Task:
    """Draw a task such as "Answer dax if any fruit, wug otherwise", with an example for each."""
    while True:
        category = rng.choice(sorted(CATEGORIES))
        yes, no = rng.sample(LABELS, 2)
        if split_of(f"label:{category}:{yes}:{no}") == split:
            break

    inside = CATEGORIES[category]
    outside = [word for word in WORDS if word not in inside]
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
    """Draw one or two operations without a list, and two lists for them."""
    first = draw(rng, split, operations=rng.choice((1, 2)))
    kind = kind_of(first)
    lists = [first.items]
    while len(lists) < 2:
        items = draw_items(rng, kind, first.operations)
        of_split = split_of(f"{first.operations}{items}") == split
        if of_split and apply(first.operations, items) is not None:
            lists.append(items)
    examples = [(", ".join(items), apply(first.operations, items) or "") for items in lists]
    return Task(first.instruction.partition(":")[0], tuple(examples))


def kind_of(asked: Instruction) -> str:
    """Return whether an instruction is about numbers or about words."""
    return "numbers" if asked.items[0].isdigit() else "words"


def series(rng: Random, split: str, *, count: int) -> str:
    """Draw `count` tasks as a numbered list, one on each line."""
    tasks = [task(rng, split).instruction for _ in range(count)]
    return "".join(f"Task {i}: {text}\n" for i, text in enumerate(tasks, 1))


def add_operation(rng: Random, split: str, *, front: bool = False) -> tuple[Fields, str]:
    """Evolve a task by one more operation, behind the others or in front of them."""
    # It is easier to draw the harder task and to take an operation away.
    while True:
        harder = draw(rng, split, operations=rng.choice((2, 2, 3)))
        kept = harder.operations[1:] if front else harder.operations[:-1]
        if not OPERATIONS[kept[-1]].last or front:
            break

    # The wording of the other operations stays, so that only the addition differs.
    phrases = [
        next(p for p in OPERATIONS[name].phrases if p in harder.instruction) for name in kept
    ]
    return {"instruction": join_phrases(phrases, harder.items)}, harder.instruction


def lengthen(rng: Random, split: str) -> tuple[Fields, str]:
    """Evolve a task by one or two more items in its list."""
    while True:
        longer = draw(rng, split, operations=rng.choice((1, 2, 3)), shortest=4, longest=LONGEST)
        items = longer.items[: len(longer.items) - rng.choice((1, 2))]
        if len(items) >= 3 and apply(longer.operations, items) is not None:
            break
    head = longer.instruction.partition(":")[0]
    return {"instruction": f"{head}: {', '.join(items)}"}, longer.instruction


def alike(rng: Random, split: str) -> tuple[Fields, str]:
    """Evolve a task into another one with as many operations."""
    count = rng.choice((1, 2, 3))
    example = draw(rng, split, operations=count)
    written = draw(rng, split, operations=count)
    return {"instruction": example.instruction}, written.instruction


# By the name of the template.
EVOLUTIONS: dict[str, Callable[[Random, str], tuple[Fields, str]]] = {
    "constraints": lambda rng, split: add_operation(rng, split),
    "deepen": lambda rng, split: add_operation(rng, split, front=True),
    "complicate_input": lengthen,
    "breadth": alike,
}


def same(rng: Random, split: str) -> tuple[Fields, str]:
    """Draw two tasks, and whether they ask for the same.

    The answer is yes for the same operations on the same list, whatever their wording is.
    """
    first = draw(rng, split, operations=rng.choice((1, 2, 3)))
    if rng.random() < 0.4:
        second = say(rng, first.operations, first.items)
        return {"first": first.instruction, "second": second}, "Yes."

    second = _other(rng, split, first)
    return {"first": first.instruction, "second": second}, "No."


def _other(rng: Random, split: str, first: Instruction) -> str:
    """Draw a task that differs in one operation, in the list, or in everything."""
    names = first.operations
    kind = kind_of(first)
    way = rng.random()

    # Nothing can follow an operation whose result is one value.
    if way < 0.4 and not OPERATIONS[names[-1]].last:
        names = draw(rng, split, operations=1, kind=kind).operations if len(names) > 1 else names
        more = draw(rng, split, operations=1, kind=kind).operations
        return say(rng, (*names, *more), first.items)
    if way < 0.7:
        return say(rng, names, (*first.items, *draw_items(rng, kind, names)[:2]))
    return draw(rng, split, operations=rng.choice((1, 2, 3))).instruction


def difficulty(rng: Random, split: str) -> tuple[Fields, str]:
    """Draw a task and its difficulty, as "Score: 4".

    Each operation counts three points, and a list of five or more items counts one.
    """
    asked = draw(rng, split, operations=rng.choice((1, 2, 3)), longest=LONGEST)
    score = 3 * len(asked.operations) + (len(asked.items) >= 5)
    return {"instruction": asked.instruction}, f"Score: {score}"


def classify(rng: Random, split: str) -> tuple[Fields, str]:
    """Draw a task, and whether it is a classification. Both answers are about equally likely."""
    asked = labelling(rng, split) if rng.random() < 0.5 else task(rng, split)
    return {"instruction": asked.instruction}, " Yes" if asked.is_classification else " No"


def examples(rng: Random, split: str) -> tuple[str, Fields, str]:
    """Draw a task and examples of its inputs and outputs.

    Returns the name of the template, its fields and the answer. As in Self-Instruct, the output
    comes first for a classification, so that both labels get examples.
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
