"""`datagen.select_demonstrations`: the strategies on plain pairs, without run and teacher."""

import asyncio

import pytest

import datagen
from datagen.errors import UserError

POOL = [
    ("red apple", "fruit"),
    ("fast car", "thing"),
    ("green apple pie", "food"),
    ("fast red car", "thing"),
    ("sweet green apple", "fruit"),
]


def shared_words(query: str, text: str) -> int:
    return len(set(query.split()) & set(text.split()))


@pytest.mark.parametrize("strategy", ["bm25", "knn", "dpp"])
def test_the_best_example_is_the_last(strategy):
    chosen = datagen.select_demonstrations("sweet green pear", POOL, 2, strategy)
    scores = [shared_words("sweet green pear", input) for input, _ in POOL]
    assert chosen[-1] == scores.index(max(scores))


@pytest.mark.parametrize("strategy", ["random", "bm25", "knn", "votek", "dpp"])
def test_places_are_distinct_and_never_the_query_itself(strategy):
    pool = [*POOL, ("Fast  CAR", "thing"), ("red apple", "fruit")]
    chosen = datagen.select_demonstrations("fast car", pool, 4, strategy, seed=3)
    # 1 and 5 are the query but for case and spaces; 6 repeats 0
    assert set(chosen) == {0, 2, 3, 4}
    assert chosen == datagen.select_demonstrations("fast car", pool, 4, strategy, seed=3)


def test_the_seed_decides_a_random_choice():
    found = {
        tuple(datagen.select_demonstrations("pear", POOL, 2, "random", seed=seed))
        for seed in range(20)
    }
    assert len(found) > 5


def test_balance_shows_each_output_equally_often():
    chosen = datagen.select_demonstrations("fast red car now", POOL, 3, balance=True)
    assert {POOL[place][1] for place in chosen} == {"fruit", "thing", "food"}


def test_it_works_inside_a_running_event_loop():
    async def notebook() -> list[int]:
        return datagen.select_demonstrations("red car", POOL, 1)

    assert asyncio.run(notebook()) == [3]


@pytest.mark.parametrize(
    ("k", "strategy", "message"),
    [
        (2, "nearest", "no strategy 'nearest': there are random"),
        (2, "cone", "strategy 'cone' asks a teacher"),
        (6, "knn", "5 candidates can be shown with a query, fewer than k = 6"),
    ],
)
def test_what_cannot_be_done_is_one_line(k, strategy, message):
    with pytest.raises(UserError, match=message):
        datagen.select_demonstrations("red car", POOL, k, strategy)
