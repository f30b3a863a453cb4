"""The micro-world's rules as a benchmark: each demonstration against its rule, worked out anew."""

from __future__ import annotations

from itertools import pairwise

import pytest

from datagen.errors import UserError
from datagen.microworld.rules import FAMILIES, RECALL
from datagen.microworld.words import CATEGORIES, LETTERS, ORDERS
from datagen.suites import load
from datagen.suites.in_context import RuleQuery, queries

SHOTS = (1, 2, 4, 8, 16)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_draw_adds_demonstrations_in_front_and_shows_no_query(family: str) -> None:
    for query in queries("test", 12, families=[family]):
        for seed in (0, 1):
            rows = [query.demonstrations(k, seed=seed) for k in SHOTS]
            assert [len(row) for row in rows] == list(SHOTS)
            if family in RECALL:
                assert all((query.input, query.output) in row for row in rows)
                continue
            assert all(longer[-len(row) :] == row for row, longer in pairwise(rows))
            assert query.input not in {x for x, _ in rows[-1]}
        assert query.demonstrations(0) == []
        assert query.text(0) == f"{query.input} ->"


def test_draws_differ_and_queries_do_not_depend_on_their_number() -> None:
    few, many = queries("test", 3, families=["shift"]), queries("test", 9, families=["shift"])
    assert many[:3] == few
    assert all(len({query.text(8, seed=seed) for seed in range(5)}) == 5 for query in few)
    assert all(
        query.text(8, seed=3) == again.text(8, seed=3)
        for query, again in zip(few, many, strict=False)
    )
    assert len({query.id for query in queries("test", 5)}) == 5 * len(FAMILIES)
    assert queries("test", 3, families=["shift"], seed=1) != few


@pytest.mark.parametrize(
    "family", ["category", "attribute", "permutation", "shift", "successor", "cipher", "prefix"]
)
def test_the_query_follows_the_rule_of_its_demonstrations(family: str) -> None:
    for query in queries("test", 12, families=[family]):
        pairs = [*query.demonstrations(16, seed=2), (query.input, query.output)]
        assert SAME[family](pairs), query


def test_rules_of_the_test_are_not_those_of_training() -> None:
    for family in ("attribute", "permutation", "shift", "successor"):
        train, test = (
            {query.rule for query in queries(split, 40, families=[family])}
            for split in ("train", "test")
        )
        assert train
        assert test
        assert not train & test


def test_the_single_suites_are_the_same_queries() -> None:
    asked: list[RuleQuery] = queries("test", 2)
    by_text = {query.text(4): query for query in asked}
    found = load("microworld/in-context-4", "test", limit=len(asked))
    assert [by_text[question.question].output for question in found] == [
        q.gold_rationale for q in found
    ]
    assert [by_text[q.question].family for q in found[: len(FAMILIES)]] == list(FAMILIES)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(
        UserError, match=r"no rule family 'colours': there are key, few_labels, category"
    ):
        queries("test", 1, families=["colours"])


def by_places(pairs: list[tuple[str, str]]) -> bool:
    """Whether one list of places gives every output from its input's words."""
    found = [[x.split().index(word) for word in y.split()] for x, y in pairs]
    return all(places == found[0] for places in found)


def by_category(pairs: list[tuple[str, str]]) -> bool:
    labels = {(next(name for name, words in CATEGORIES.items() if x in words), y) for x, y in pairs}
    return len({name for name, _ in labels}) == len({label for _, label in labels}) == len(labels)


def by_steps(pairs: list[tuple[str, str]]) -> bool:
    """Whether all numbers, or all words of known orders, are moved by as much."""
    if pairs[0][0].isdigit():
        return len({int(y) - int(x) for x, y in pairs}) == 1
    orders = (
        [LETTERS]
        if len(pairs[0][0]) == 1
        else [order for name, order in ORDERS.items() if name != "letter"]
    )
    steps = {
        frozenset(s for s in range(-8, 9) if order[(order.index(x) + s) % len(order)] == y)
        for x, y in pairs
        for order in orders
        if x in order
    }
    return bool(frozenset.intersection(*steps))


def by_letters(pairs: list[tuple[str, str]]) -> bool:
    table = {letter for x, y in pairs for letter in zip(x.split(), y.split(), strict=True)}
    return len({x for x, _ in table}) == len(table)


def by_mark(pairs: list[tuple[str, str]]) -> bool:
    return len({y.replace(x, "*") for x, y in pairs}) == 1


SAME = {
    "category": by_category,
    "attribute": by_places,
    "permutation": by_places,
    "shift": by_steps,
    "successor": by_steps,
    "cipher": by_letters,
    "prefix": by_mark,
}
