"""Rules that only demonstrations show: lines of `x -> y`, then a query `x ->`.

Each family draws a fresh rule for an episode. Families with enumerable rules (shift, successor,
permutation, attribute) keep some rules for the test split alone; the others draw their labels and
pairs afresh every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from random import Random

from datagen.microworld.splits import check_split, split_of
from datagen.microworld.words import (
    CATEGORIES,
    LABELS,
    LETTERS,
    MATERIALS,
    ORDERS,
    SIZES,
    THINGS,
    WORDS,
)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Episode:
    """Inputs and outputs that follow one hidden rule."""

    family: str
    rule: str
    """The rule's parameters."""
    pairs: tuple[Pair, ...]
    """Inputs and outputs in order; any of them may serve as the query for those before it."""
    determined: tuple[bool, ...]
    """Whether the pairs before determine this output."""

    def prompt(self) -> str:
        """All but the last pair as demonstrations, then the last input."""
        return "".join(f"{x} -> {y}\n" for x, y in self.pairs[:-1]) + f"{self.pairs[-1][0]} ->"


def episodes(split: str, n: int, *, family: str, k: int, seed: int = 0) -> list[Episode]:
    """`n` episodes of a family with k demonstrations and a query; `UserError` for an unknown
    split.
    """
    check_split(split)
    rng = Random(f"{seed}:rules:{split}:{family}:{k}")
    return [draw(rng, split, family=family, length=k + 1) for _ in range(n)]


def draw(rng: Random, split: str, *, family: str, length: int) -> Episode:
    """One episode of `length` pairs, the last of which is the query."""
    rule, pairs, determined = FAMILIES[family](rng, split, length)
    return Episode(family, rule, tuple(pairs), tuple(determined))


Drawn = tuple[str, list[Pair], list[bool]]


def _rule(rng: Random, split: str, family: str, choices: list[str]) -> str:
    """A rule of the split. Validation uses the training rules."""
    wanted = "test" if split == "test" else "train"
    fits = [
        c
        for c in choices
        if ("test" if split_of(f"{family}:{c}") != "train" else "train") == wanted
    ]
    return rng.choice(fits)


def _recall(rng: Random, length: int, outputs: list[str], family: str) -> Drawn:
    """Fresh pairs of key and value; keys come again, the query among them."""
    count = rng.randint(max(1, length // 3), max(1, min(length - 1, 16)))
    keys = rng.sample(WORDS, count)
    table = {key: rng.choice([o for o in outputs if o != key]) for key in keys}
    order = keys + [rng.choice(keys) for _ in range(max(0, length - 1 - count))]
    rng.shuffle(order)
    order = [*order[: length - 1], rng.choice(order[: length - 1] or keys)]
    return (
        family,
        [(key, table[key]) for key in order],
        [key in order[:i] for i, key in enumerate(order)],
    )


def _key(rng: Random, split: str, length: int) -> Drawn:
    return _recall(rng, length, WORDS, "key")


def _few_labels(rng: Random, split: str, length: int) -> Drawn:
    return _recall(rng, length, rng.sample(LABELS, rng.randint(2, 4)), "few_labels")


def _category(rng: Random, split: str, length: int) -> Drawn:
    """A fresh label for each of two to four categories; every input is new."""
    names = rng.sample(sorted(CATEGORIES), rng.randint(2, 4))
    labels = dict(zip(names, rng.sample(LABELS, len(names)), strict=True))
    pool = rng.sample(
        [(word, name) for name in names for word in CATEGORIES[name]], min(length, 12 * len(names))
    )
    order = [name for _, name in pool]
    determined = [name in order[:i] for i, name in enumerate(order)]
    return "category", [(word, labels[name]) for word, name in pool], determined


_ATTRIBUTES = ["".join(p) for size in (1, 2, 3) for p in permutations("0123", size)]


def _attribute(rng: Random, split: str, length: int) -> Drawn:
    """Which of four words are meant, in which order: the size, the colour, the material, the
    thing.
    """
    rule = _rule(rng, split, "attribute", _ATTRIBUTES)
    pairs = []
    for _ in range(length):
        words = (
            rng.choice(SIZES),
            rng.choice(CATEGORIES["colour"]),
            rng.choice(MATERIALS),
            rng.choice(THINGS),
        )
        pairs.append((" ".join(words), " ".join(words[int(i)] for i in rule)))
    return rule, pairs, [i > 0 for i in range(length)]


def _shift(rng: Random, split: str, length: int) -> Drawn:
    """Add a constant to a number, or move along the alphabet."""
    choices = [
        f"{kind}{by:+d}"
        for kind in ("n", "l")
        for by in range(-20, 21)
        if by and (kind == "n" or abs(by) < 9)
    ]
    rule = _rule(rng, split, "shift", choices)
    kind, by = rule[0], int(rule[1:])
    if kind == "l":
        order = LETTERS
        inputs = [rng.choice(order) for _ in range(length)]
        return (
            rule,
            [(x, order[(order.index(x) + by) % 26]) for x in inputs],
            [i > 0 for i in range(length)],
        )
    numbers = [rng.randint(max(0, -by), 99) for _ in range(length)]
    return rule, [(str(x), str(x + by)) for x in numbers], [i > 0 for i in range(length)]


def _successor(rng: Random, split: str, length: int) -> Drawn:
    """The next, or the one some steps on, in a known order; orders may be mixed."""
    rule = _rule(rng, split, "successor", [f"{step:+d}" for step in (-4, -3, -2, -1, 1, 2, 3, 4)])
    orders = rng.sample(("day", "month", "number"), rng.choice((1, 1, 2)))
    pairs = []
    for _ in range(length):
        order = ORDERS[rng.choice(orders)]
        i = rng.randrange(len(order))
        pairs.append((order[i], order[(i + int(rule)) % len(order)]))
    return rule, pairs, [i > 0 for i in range(length)]


_PERMUTATIONS = [
    "".join(p) for size in (3, 4) for p in permutations("0123"[:size]) if list(p) != sorted(p)
]


def _permutation(rng: Random, split: str, length: int) -> Drawn:
    rule = _rule(rng, split, "permutation", _PERMUTATIONS)
    pairs = []
    for _ in range(length):
        words = rng.sample(WORDS, len(rule))
        pairs.append((" ".join(words), " ".join(words[int(i)] for i in rule)))
    return rule, pairs, [i > 0 for i in range(length)]


def _cipher(rng: Random, split: str, length: int) -> Drawn:
    """Three letters, each written as another by one fresh table of eight letters."""
    letters = rng.sample(LETTERS, 8)
    table = dict(zip(letters, rng.sample(LETTERS, 8), strict=True))
    inputs = [[rng.choice(letters) for _ in range(3)] for _ in range(length)]
    seen: set[str] = set()
    determined = []
    for word in inputs:
        determined.append(seen >= set(word))
        seen |= set(word)
    return "cipher", [(" ".join(w), " ".join(table[c] for c in w)) for w in inputs], determined


def _prefix(rng: Random, split: str, length: int) -> Drawn:
    """A fresh word before or after."""
    mark, front = rng.choice(LABELS + SIZES), rng.random() < 0.5
    words = [rng.choice(WORDS) for _ in range(length)]
    pairs = [(word, f"{mark} {word}" if front else f"{word} {mark}") for word in words]
    return f"{mark}{'<' if front else '>'}", pairs, [i > 0 for i in range(length)]


FAMILIES: dict[str, Callable[[Random, str, int], Drawn]] = {
    "key": _key,
    "few_labels": _few_labels,
    "category": _category,
    "attribute": _attribute,
    "shift": _shift,
    "successor": _successor,
    "permutation": _permutation,
    "cipher": _cipher,
    "prefix": _prefix,
}


RECALL = ("key", "few_labels")
"""Families whose query is answered only by a demonstration with the same input: their queries
cannot be disjoint from their candidates."""
