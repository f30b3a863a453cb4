"""Questions on disk are the questions in memory."""

import random

import pytest

from datagen.suites.question import distinct, make
from datagen.suites.spool import Spool


def questions(number: int, *, different: int):
    rng = random.Random(0)
    for _ in range(number):
        kind = rng.randrange(different)
        text = f"Which 字 \n{kind}?"
        gold = rng.choice(["A", None]) if kind % 3 else "B"
        yield make(
            "s",
            text,
            gold,
            answer_type="choice",
            options=("x", "y", f"{kind}"),
            rationale="because\n#### A",
        )


@pytest.mark.parametrize("different", [1, 5, 40, 10_000])
def test_a_spool_holds_what_distinct_gives(different):
    expected = distinct(questions(60, different=different))
    spool = Spool(questions(60, different=different))
    assert list(spool) == expected
    assert [spool[i] for i in range(60)] == expected
    assert (spool[-1], spool[:7], spool[50::-20]) == (expected[-1], expected[:7], expected[50::-20])
    assert len(spool) == 60
    with pytest.raises(IndexError):
        spool[60]


def test_none_at_all():
    assert len(Spool([])) == 0
    assert not Spool([])


def test_halves_of_surrogate_pairs_become_a_replacement_character():
    [question] = Spool([make("s", "a \ud83d?", None, answer_type="text")])
    assert question.question == "a \ufffd?"
