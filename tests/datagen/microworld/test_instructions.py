"""Instructions: answers against operations written here a second time, wordings against a reading
of their text."""

import re

import pytest

from datagen.microworld.instructions import OPERATIONS, instructions
from datagen.microworld.words import CATEGORIES


def by_hand(name: str, items: list[str]) -> list[str]:
    """The operations once more, by loops and arithmetic on positions."""
    n = len(items)
    picked = {
        "reverse": [n - 1 - i for i in range(n)],
        "drop_first": range(1, n),
        "drop_last": range(n - 1),
        "first_two": range(min(2, n)),
        "last_two": range(max(0, n - 2), n),
        "swap": [n - 1 if i == 0 else 0 if i == n - 1 else i for i in range(n)],
        "rotate": [(i + 1) % n for i in range(n)],
        "to_front": [(i - 1) % n for i in range(n)],
        "double_first": [0, *range(n)],
        "every_second": [i for i in range(n) if i % 2],
        "first": [0],
        "last": [n - 1],
    }
    if name in picked:
        return [items[i] for i in picked[name]]
    if name[:-1] in CATEGORIES:
        return [item for item in items if item in CATEGORIES[name[:-1]]]
    if name == "sort":
        ranks = [
            sum((other, j) < (item, i) for j, other in enumerate(items))
            for i, item in enumerate(items)
        ]
        return [items[ranks.index(rank)] for rank in range(n)]
    if name == "count":
        return [str(n)]
    numbers = [int(item) for item in items]
    ranked = [number for value in range(max(numbers) + 1) for number in numbers if number == value]
    results = {
        "ascending": ranked,
        "plus_one": [number + 1 for number in numbers],
        "plus_ten": [number + 10 for number in numbers],
        "double": [number + number for number in numbers],
        "even": [number for number in numbers if str(number)[-1] in "02468"],
        "largest": ranked[-1:],
        "smallest": ranked[:1],
    }
    return [str(number) for number in results[name]]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_answers(count: int) -> None:
    for task in instructions("test", 400, operations=count):
        values = list(task.items)
        for name in task.operations:
            values = by_hand(name, values)
        assert task.answer == ", ".join(values)


def read_task(text: str) -> tuple[list[str], list[str]]:
    """Operations and items, read from the text."""
    told, _, listed = text.partition(": ")
    phrases = re.split(r", then ", told.removeprefix("First "))
    names = [
        next(name for name, op in OPERATIONS.items() if phrase.lower() in op.phrases)
        for phrase in phrases
    ]
    return names, listed.split(", ")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_text_says_operations_and_items(count: int) -> None:
    for task in instructions("validation", 200, operations=count):
        assert read_task(task.instruction) == (list(task.operations), list(task.items))


def test_splits_are_disjoint() -> None:
    seen: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
    for split in ("train", "validation", "test"):
        for task in instructions(split, 2000) + instructions(split, 2000, operations=2):
            assert seen.setdefault((task.operations, task.items), split) == split


def test_same_seed_same_instructions() -> None:
    assert instructions("test", 20) == instructions("test", 20) != instructions("test", 20, seed=1)
