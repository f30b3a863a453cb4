"""Votes against counting by hand, the stopping rule against numeric integration."""

from __future__ import annotations

import itertools
import math

import pytest

from datagen.answers import Vote, settled, vote
from datagen.answers.vote import lead_probability


def test_majority() -> None:
    assert vote(["3", "5", "5", None]) == Vote("5", (("5", 2.0), ("3", 1.0)), 0.5, False)


def test_nobody_answered() -> None:
    assert vote([None, None]) == Vote(None, (), 0.0, False)
    assert vote([]) == Vote(None, (), 0.0, False)


def test_tie_goes_to_the_first_to_appear() -> None:
    found = vote(["7", "5", None, "5", "7"])
    assert (found.answer, found.tied, found.agreement) == ("7", True, 0.4)
    assert not vote(["7", "7", "5", "5", "5"]).tied


def test_every_small_vote_by_brute_force() -> None:
    for answers in itertools.product(["1", "2", "3", None], repeat=5):
        given = [answer for answer in answers if answer]
        most = max((given.count(answer) for answer in given), default=0)
        leaders = [answer for answer in dict.fromkeys(given) if given.count(answer) == most]
        found = vote(answers)
        assert found.answer == (leaders[0] if leaders else None)
        assert found.tied == (len(leaders) > 1)
        assert found.agreement == most / 5
        assert dict(found.counts) == {answer: given.count(answer) for answer in set(given)}


def test_weights() -> None:
    found = vote(["1", "2", "2", None], weights=[0.6, 0.1, 0.2, 0.1])
    assert found.answer == "1"
    assert found.agreement == pytest.approx(0.6)
    assert vote(["1", "2"], weights=[0.0, 0.0]).agreement == 0.0


def test_weights_do_not_depend_on_order() -> None:
    for order in itertools.permutations([0.1, 0.2, 0.3]):
        found = vote(["1", "1", "1", "2"], weights=[*order, 0.6])
        assert found.tied == vote(["1", "1", "1", "2"], weights=[0.1, 0.2, 0.3, 0.6]).tied


def test_weights_of_another_length() -> None:
    with pytest.raises(ValueError, match="2 answers but 1 weights"):
        vote(["1", "2"], weights=[1.0])


def upper_half_of_beta(a: int, b: int, *, steps: int = 2000) -> float:
    """P(p > 1/2) under Beta(a, b), by Simpson's rule."""
    beta = math.exp(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
    width = 0.5 / steps
    heights = [
        (0.5 + i * width) ** (a - 1) * (0.5 - i * width) ** (b - 1) for i in range(steps + 1)
    ]
    return (
        width
        / 3
        * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))
        / beta
    )


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product([0, 1, 2, 3, 5, 8, 13, 40], repeat=2))
)
def test_lead_probability_is_the_beta_posterior(first: int, second: int) -> None:
    assert lead_probability(first, second) == pytest.approx(
        upper_half_of_beta(first + 1, second + 1), abs=1e-9
    )


def test_settled() -> None:
    assert not settled([])
    assert not settled([3])  # 15/16
    assert settled([4])  # 31/32
    assert not settled([4, 1, 1])
    assert settled([1, 8, 2])
    assert settled([2], threshold=0.8)
    assert not settled([20, 20])
