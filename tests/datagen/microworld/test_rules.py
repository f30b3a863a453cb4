"""In-context rules: every determined output is the only one that the demonstrations before it
allow, by brute force."""

from collections.abc import Callable
from itertools import permutations

import pytest

from datagen.microworld import rules
from datagen.microworld.rules import FAMILIES, Episode, episodes
from datagen.microworld.words import CATEGORIES, ORDERS

Rule = Callable[[str], str | None]


def _shifts() -> list[Rule]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    numbers = [
        lambda x, by=by: str(int(x) + by) if x.isdigit() else None for by in range(-20, 21) if by
    ]
    return numbers + [
        lambda x, by=by: letters[(letters.index(x) + by) % 26] if x.isalpha() else None
        for by in range(-8, 9)
        if by
    ]


def _successors() -> list[Rule]:
    def move(x: str, by: int) -> str:
        order = next(order for order in ORDERS.values() if x in order)
        return order[(order.index(x) + by) % len(order)]

    return [lambda x, by=by: move(x, by) for by in range(-4, 5) if by]


def _choices(orders: list[tuple[int, ...]]) -> list[Rule]:
    return [
        lambda x, order=order: " ".join(x.split()[i] for i in order if i < len(x.split()))
        for order in orders
    ]


_ORDERS = [tuple(p) for size in (3, 4) for p in permutations(range(size))]
_PICKS = [order for size in (1, 2, 3) for order in permutations(range(4), size)]
RULES = {
    "shift": _shifts(),
    "successor": _successors(),
    "permutation": _choices(_ORDERS),
    "attribute": _choices(_PICKS),
}


@pytest.mark.parametrize("family", RULES)
@pytest.mark.parametrize("split", ["train", "test"])
def test_one_known_rule_gives_every_output(family: str, split: str) -> None:
    for episode in episodes(split, 100, family=family, k=8):
        fitting = [rule for rule in RULES[family] if all(rule(x) == y for x, y in episode.pairs)]
        assert fitting, episode
        assert episode.determined == (False,) + (True,) * 8


@pytest.mark.parametrize("family", ["key", "few_labels"])
def test_recall_is_determined_where_the_key_was_shown(family: str) -> None:
    for episode in episodes("test", 100, family=family, k=8):
        _consistent(episode, lambda x: x)
        assert episode.determined[-1]


def test_category_is_determined_where_the_category_was_shown() -> None:
    category = {word: name for name, words in CATEGORIES.items() for word in words}
    for episode in episodes("test", 100, family="category", k=8):
        _consistent(episode, category.__getitem__)
        assert len({x for x, _ in episode.pairs}) == 9


def _consistent(episode: Episode, cause: Callable[[str], str]) -> None:
    """Outputs are a function of the cause, and determined exactly from its second sight on."""
    shown: dict[str, str] = {}
    for (x, y), determined in zip(episode.pairs, episode.determined, strict=True):
        assert determined == (cause(x) in shown)
        assert shown.setdefault(cause(x), y) == y


def test_cipher_is_one_table_and_determined_where_all_letters_were_shown() -> None:
    for episode in episodes("test", 100, family="cipher", k=8):
        table: dict[str, str] = {}
        for (x, y), determined in zip(episode.pairs, episode.determined, strict=True):
            assert determined == all(letter in table for letter in x.split())
            for letter, written in zip(x.split(), y.split(), strict=True):
                assert table.setdefault(letter, written) == written
        assert len(set(table.values())) == len(table)


def test_prefix_adds_one_word_on_one_side() -> None:
    for episode in episodes("test", 100, family="prefix", k=8):
        words = [y.split() for _, y in episode.pairs]
        front = (
            all(x == y[1] for (x, _), y in zip(episode.pairs, words, strict=True))
            and len({y[0] for y in words}) == 1
        )
        back = (
            all(x == y[0] for (x, _), y in zip(episode.pairs, words, strict=True))
            and len({y[1] for y in words}) == 1
        )
        assert front or back


@pytest.mark.parametrize("family", RULES)
def test_test_rules_are_held_out(family: str) -> None:
    train = {
        episode.rule
        for split in ("train", "validation")
        for episode in episodes(split, 1500, family=family, k=1)
    }
    assert not train & {episode.rule for episode in episodes("test", 1500, family=family, k=1)}


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seed_same_episodes(family: str) -> None:
    assert episodes("test", 5, family=family, k=4) == episodes("test", 5, family=family, k=4)
    assert episodes("test", 5, family=family, k=4) != episodes(
        "test", 5, family=family, k=4, seed=1
    )


def test_prompt_shows_all_but_the_last_output() -> None:
    episode = rules.Episode(
        "key", "key", (("dog", "red"), ("cat", "blue"), ("dog", "red")), (False, False, True)
    )
    assert episode.prompt() == "dog -> red\ncat -> blue\ndog ->"
