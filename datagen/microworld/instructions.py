"""Generate instructions for short lists of words or numbers: one operation, or several in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from datagen.microworld.splits import check_split, split_of
from datagen.microworld.words import CATEGORIES, WORDS

Items = Sequence[str]


@dataclass(frozen=True)
class Instruction:
    """An instruction with its answer, and what it is made of."""

    instruction: str
    answer: str
    operations: tuple[str, ...]
    items: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """An operation on a list."""

    phrases: tuple[str, ...]
    """Its wordings after "First" or "then", in lower case."""
    apply: Callable[[Items], list[str]]
    """Returns the list that results."""
    on: str = "any"
    """The lists that it takes: "any", "words" or "numbers"."""
    last: bool = False
    """Whether its result is one value, so that no operation can follow."""


def _numbers(function: Callable[[list[int]], list[int]]) -> Callable[[Items], list[str]]:
    """Return a function on numbers as a function on their texts."""
    return lambda items: [str(number) for number in function([int(item) for item in items])]


def _keep(category: str) -> Operation:
    """Return the operation that keeps the words of a category."""
    words = set(CATEGORIES[category])
    phrase = f"keep only the {category}s"
    return Operation((phrase,), lambda items: [item for item in items if item in words], "words")


OPERATIONS: dict[str, Operation] = {
    "reverse": Operation(
        ("reverse the list", "put the list in reverse order"), lambda items: list(items[::-1])
    ),
    "drop_first": Operation(
        ("remove the first item", "leave out the first item"), lambda items: list(items[1:])
    ),
    "drop_last": Operation(
        ("remove the last item", "leave out the last item"), lambda items: list(items[:-1])
    ),
    "first_two": Operation(("keep only the first two items",), lambda items: list(items[:2])),
    "last_two": Operation(("keep only the last two items",), lambda items: list(items[-2:])),
    "swap": Operation(
        ("swap the first and the last item",), lambda items: [items[-1], *items[1:-1], items[0]]
    ),
    "rotate": Operation(("move the first item to the end",), lambda items: [*items[1:], items[0]]),
    "to_front": Operation(
        ("move the last item to the front",), lambda items: [items[-1], *items[:-1]]
    ),
    "double_first": Operation(("write the first item twice",), lambda items: [items[0], *items]),
    "every_second": Operation(("keep every second item",), lambda items: list(items[1::2])),
    "sort": Operation(
        ("sort the words from a to z", "put the words in order from a to z"),
        lambda items: sorted(items),
        "words",
    ),
    "animals": _keep("animal"),
    "fruits": _keep("fruit"),
    "colours": _keep("colour"),
    "vehicles": _keep("vehicle"),
    "ascending": Operation(("sort the numbers from small to large",), _numbers(sorted), "numbers"),
    "plus_one": Operation(
        ("add one to each number",), _numbers(lambda ns: [n + 1 for n in ns]), "numbers"
    ),
    "plus_ten": Operation(
        ("add ten to each number",), _numbers(lambda ns: [n + 10 for n in ns]), "numbers"
    ),
    "double": Operation(
        ("double each number",), _numbers(lambda ns: [2 * n for n in ns]), "numbers"
    ),
    "even": Operation(
        ("keep only the even numbers",),
        _numbers(lambda ns: [n for n in ns if n % 2 == 0]),
        "numbers",
    ),
    "first": Operation(("give the first item",), lambda items: [items[0]], last=True),
    "last": Operation(("give the last item",), lambda items: [items[-1]], last=True),
    "count": Operation(
        ("count the items", "say how many items there are"),
        lambda items: [str(len(items))],
        last=True,
    ),
    "largest": Operation(
        ("give the largest number",), _numbers(lambda ns: [max(ns)]), "numbers", last=True
    ),
    "smallest": Operation(
        ("give the smallest number",), _numbers(lambda ns: [min(ns)]), "numbers", last=True
    ),
}


def instructions(split: str, n: int, *, operations: int = 1, seed: int = 0) -> list[Instruction]:
    """Generate distinct instructions of a split.

    Args:
        split: "train", "validation" or "test".
        n: The number of instructions. A larger number adds instructions and keeps the first ones.
        operations: The number of operations of each instruction.
        seed: Decides which instructions are drawn.

    Raises:
        UserError: There is no such split.

    Example:
        >>> len(instructions("test", 3, operations=2))
        3
    """
    check_split(split)
    rng = Random(f"{seed}:instructions:{split}:{operations}")
    found: dict[str, Instruction] = {}
    while len(found) < n:
        instruction = draw(rng, split, operations=operations)
        found.setdefault(instruction.instruction, instruction)
    return list(found.values())


def draw(
    rng: Random,
    split: str,
    *,
    operations: int,
    kind: str | None = None,
    shortest: int = 3,
    longest: int = 6,
) -> Instruction:
    """Draw a random instruction of a split.

    Args:
        rng: The source of random numbers.
        split: The split of its operations and its list. The wording does not matter.
        operations: The number of operations.
        kind: "words" or "numbers"; by default either.
        shortest: The smallest number of items in the list.
        longest: The largest number of items in the list.
    """
    while True:
        of = kind or rng.choice(("words", "numbers"))
        names = _draw_operations(rng, of, operations)
        items = draw_items(rng, of, names, shortest=shortest, longest=longest)
        if split_of(f"{names}{items}") != split:
            continue
        answer = apply(names, items)
        if answer is not None:
            return Instruction(say(rng, names, items), answer, names, items)


def apply(names: Sequence[str], items: Items) -> str | None:
    """Return the answer, or None if the list becomes too short on the way."""
    values = list(items)
    for i, name in enumerate(names):
        values = OPERATIONS[name].apply(values)
        # With fewer than two items the next operation would have nothing to do.
        if len(values) < (2 if i + 1 < len(names) else 1):
            return None
    return ", ".join(values)


def say(rng: Random, names: Sequence[str], items: Items) -> str:
    """Draw a wording: "First reverse the list, then give the last item: dog, pear"."""
    return join_phrases([rng.choice(OPERATIONS[name].phrases) for name in names], items)


def join_phrases(phrases: Sequence[str], items: Items) -> str:
    """Return an instruction from the phrases of its operations and from its list."""
    if len(phrases) == 1:
        text = phrases[0][0].upper() + phrases[0][1:]
    else:
        text = "First " + ", then ".join(phrases)
    return f"{text}: {', '.join(items)}"


def _draw_operations(rng: Random, kind: str, count: int) -> tuple[str, ...]:
    """Draw the names of distinct operations that can follow each other."""
    fitting = [name for name, op in OPERATIONS.items() if op.on in ("any", kind)]
    middle = [name for name in fitting if not OPERATIONS[name].last]
    chosen = rng.sample(middle, count - 1)
    return (*chosen, rng.choice([name for name in fitting if name not in chosen]))


def draw_items(
    rng: Random, kind: str, names: Sequence[str], *, shortest: int = 3, longest: int = 6
) -> tuple[str, ...]:
    """Draw a list that gives the operations something to do."""
    length = rng.randint(shortest, longest)
    if kind == "numbers":
        return tuple(str(number) for number in rng.sample(range(1, 100), length))

    # Without words of its category, "keep only the animals" would leave an empty list.
    categories = [name.rstrip("s") for name in names if name.rstrip("s") in CATEGORIES]
    kept = list(chain.from_iterable(CATEGORIES[category] for category in categories))
    some = rng.sample(kept, min(len(kept), rng.randint(1, 3)))
    rest = rng.sample([word for word in WORDS if word not in some], length - min(length, len(some)))
    return tuple(rng.sample([*some, *rest], length))
