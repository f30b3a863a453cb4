"""Generate rules that only demonstrations show: lines of `x -> y`, then a query `x ->`.

Each family draws a new rule for each episode. The families shift, successor, permutation and
attribute have a limited number of rules, and keep some of them for the test split alone. The other
families draw new labels and pairs for each episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, permutations
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
    """Pairs of one rule."""

    family: str
    rule: str
    """The parameters of the rule."""
    pairs: tuple[Pair, ...]
    """Inputs and outputs in order. Each pair can be the query after the pairs before it."""
    determined: tuple[bool, ...]
    """For each pair, whether the pairs before it determine its output."""

    def prompt(self) -> str:
        """Return the prompt: all but the last pair as demonstrations, then the last input."""
        return "".join(f"{x} -> {y}\n" for x, y in self.pairs[:-1]) + f"{self.pairs[-1][0]} ->"


def episodes(split: str, n: int, *, family: str, k: int, seed: int = 0) -> list[Episode]:
    """Generate episodes of a family.

    Args:
        split: "train", "validation" or "test".
        n: The number of episodes.
        family: A key of FAMILIES.
        k: The number of demonstrations before the query.
        seed: Decides which episodes are drawn.

    Raises:
        UserError: There is no such split.

    Example:
        >>> [episode] = episodes("test", 1, family="shift", k=2)
        >>> len(episode.pairs)
        3
    """
    check_split(split)
    rng = Random(f"{seed}:rules:{split}:{family}:{k}")
    return [draw(rng, split, family=family, length=k + 1) for _ in range(n)]


def draw(rng: Random, split: str, *, family: str, length: int) -> Episode:
    """Draw one episode of `length` pairs. The last pair is the query."""
    rule, pairs, determined = FAMILIES[family](rng, split, length)
    return Episode(family, rule, tuple(pairs), tuple(determined))


Drawn = tuple[str, list[Pair], list[bool]]
"""The rule, the pairs and `determined` of an episode."""


def _rule(rng: Random, split: str, family: str, choices: list[str]) -> str:
    """Draw a rule of the split."""
    # There are too few rules for three splits. Validation has new episodes of the training rules,
    # and the test split has the rules of both other splits.
    is_test = split == "test"
    fits = [c for c in choices if (split_of(f"{family}:{c}") != "train") == is_test]
    return rng.choice(fits)


def _after_first(length: int) -> list[bool]:
    """Return `determined` for a rule that a single pair shows: all pairs but the first."""
    return [place > 0 for place in range(length)]


def _recall(rng: Random, length: int, outputs: list[str], family: str) -> Drawn:
    """Draw pairs of a key and a value. Keys are repeated, and so is that of the query."""
    # With few keys every key is repeated. With many keys the model must look far back.
    count = rng.randint(max(1, length // 3), max(1, min(length - 1, 16)))
    keys = rng.sample(WORDS, count)
    table: dict[str, str] = {}
    for key in keys:
        table[key] = rng.choice([output for output in outputs if output != key])

    order = keys + [rng.choice(keys) for _ in range(max(0, length - 1 - count))]
    rng.shuffle(order)
    # The query asks for one of the keys before it.
    order = [*order[: length - 1], rng.choice(order[: length - 1] or keys)]
    pairs = [(key, table[key]) for key in order]
    return family, pairs, [key in order[:place] for place, key in enumerate(order)]


def _key(rng: Random, split: str, length: int) -> Drawn:
    """Words as keys, words as values."""
    return _recall(rng, length, WORDS, "key")


def _few_labels(rng: Random, split: str, length: int) -> Drawn:
    """Words as keys, two to four labels as values."""
    return _recall(rng, length, rng.sample(LABELS, rng.randint(2, 4)), "few_labels")


def _category(rng: Random, split: str, length: int) -> Drawn:
    """A new label for each of two to four categories of words. No word is repeated."""
    names = rng.sample(sorted(CATEGORIES), rng.randint(2, 4))
    labels = dict(zip(names, rng.sample(LABELS, len(names)), strict=True))
    words: list[tuple[str, str]] = []
    for name in names:
        words += [(word, name) for word in CATEGORIES[name]]
    # The smallest category has 12 words. An episode can be shorter than `length` for this reason.
    pool = rng.sample(words, min(length, 12 * len(names)))
    order = [name for _, name in pool]
    determined = [name in order[:i] for i, name in enumerate(order)]
    return "category", [(word, labels[name]) for word, name in pool], determined


_ATTRIBUTES = [
    "".join(places)
    for places in chain.from_iterable(permutations("0123", size) for size in (1, 2, 3))
]
"""Which of the four words of an input make up the output, in which order."""


def _attribute(rng: Random, split: str, length: int) -> Drawn:
    """Some of the words for size, colour, material and thing, in another order."""
    rule = _rule(rng, split, "attribute", _ATTRIBUTES)
    kinds = (SIZES, CATEGORIES["colour"], MATERIALS, THINGS)
    pairs = []
    for _ in range(length):
        words = [rng.choice(kind) for kind in kinds]
        pairs.append((" ".join(words), " ".join(words[int(i)] for i in rule)))
    return rule, pairs, _after_first(length)


# The kind of input, number or letter, and by how much it moves. Letters move by at most 8, because
# in the circle of 26 letters a long way forward is a short way back.
_SHIFTS = [
    *(f"n{by:+d}" for by in range(-20, 21) if by),
    *(f"l{by:+d}" for by in range(-8, 9) if by),
]


def _shift(rng: Random, split: str, length: int) -> Drawn:
    """Add a constant to a number, or move along the alphabet."""
    rule = _rule(rng, split, "shift", _SHIFTS)
    by = int(rule[1:])
    if rule[0] == "l":
        inputs = [rng.choice(LETTERS) for _ in range(length)]
        pairs = [(x, LETTERS[(LETTERS.index(x) + by) % 26]) for x in inputs]
        return rule, pairs, _after_first(length)

    # Outputs are not negative: the minus would be a further thing to learn.
    numbers = [rng.randint(max(0, -by), 99) for _ in range(length)]
    return rule, [(str(x), str(x + by)) for x in numbers], _after_first(length)


def _successor(rng: Random, split: str, length: int) -> Drawn:
    """Move some steps along the days, the months or the numbers. Two of them can be mixed."""
    rule = _rule(rng, split, "successor", [f"{step:+d}" for step in (-4, -3, -2, -1, 1, 2, 3, 4)])
    orders = rng.sample(("day", "month", "number"), rng.choice((1, 1, 2)))
    pairs = []
    for _ in range(length):
        order = ORDERS[rng.choice(orders)]
        i = rng.randrange(len(order))
        pairs.append((order[i], order[(i + int(rule)) % len(order)]))
    return rule, pairs, _after_first(length)


_PERMUTATIONS = [
    "".join(places)
    for places in chain(permutations("012"), permutations("0123"))
    if list(places) != sorted(places)
]
"""All orders of three or four words but the one that changes nothing."""


def _permutation(rng: Random, split: str, length: int) -> Drawn:
    """The same three or four words in another order."""
    rule = _rule(rng, split, "permutation", _PERMUTATIONS)
    pairs = []
    for _ in range(length):
        words = rng.sample(WORDS, len(rule))
        pairs.append((" ".join(words), " ".join(words[int(i)] for i in rule)))
    return rule, pairs, _after_first(length)


def _cipher(rng: Random, split: str, length: int) -> Drawn:
    """Three letters, each replaced by another from a new table of eight letters."""
    letters = rng.sample(LETTERS, 8)
    table = dict(zip(letters, rng.sample(LETTERS, 8), strict=True))
    inputs = [[rng.choice(letters) for _ in range(3)] for _ in range(length)]

    # An output is determined as soon as all its letters were shown.
    seen: set[str] = set()
    determined = []
    for word in inputs:
        determined.append(seen >= set(word))
        seen |= set(word)
    return "cipher", [(" ".join(w), " ".join(table[c] for c in w)) for w in inputs], determined


def _prefix(rng: Random, split: str, length: int) -> Drawn:
    """One new word before each input, or behind each input."""
    mark = rng.choice(LABELS + SIZES)
    front = rng.random() < 0.5
    words = [rng.choice(WORDS) for _ in range(length)]
    pairs = [(word, f"{mark} {word}" if front else f"{word} {mark}") for word in words]
    return f"{mark}{'<' if front else '>'}", pairs, _after_first(length)


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
"""The families in which only a demonstration with the same input answers a query. Here queries and
candidates cannot be disjoint."""
