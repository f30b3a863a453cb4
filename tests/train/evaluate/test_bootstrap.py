"""The bootstrap against loops, and the gap closed against its formula worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from train.evaluate.bootstrap import Bootstrap

RNG = np.random.default_rng(5)
TEACHER, BASE = np.repeat([1.0, 0.0], [80, 20]), np.repeat([1.0, 0.0], [20, 80])
STUDENT = np.repeat([1.0, 0.0], [50, 50])


def percentile(values: list[float], share: float) -> float:
    """Linear interpolation between order statistics, written out."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def resampled_means(values: np.ndarray, draws: np.ndarray) -> list[float]:
    return [sum(float(values[i]) for i in draw) / len(draw) for draw in draws.tolist()]


def test_mean_and_interval_equal_a_loop_over_resamples() -> None:
    bootstrap = Bootstrap(resamples=1000, seed=3)
    values = RNG.random(17)
    found = bootstrap.mean(values)
    means = resampled_means(values, bootstrap.draws(17))
    assert found.value == pytest.approx(sum(values.tolist()) / 17)
    assert found.low == pytest.approx(percentile(means, 0.025))
    assert found.high == pytest.approx(percentile(means, 0.975))


def test_difference_is_paired_by_question() -> None:
    bootstrap = Bootstrap(resamples=1000, seed=3)
    a, b = RNG.random(23), RNG.random(23)
    draws = bootstrap.draws(23)
    pairs = zip(resampled_means(a, draws), resampled_means(b, draws), strict=True)
    differences = [x - y for x, y in pairs]
    found = bootstrap.difference(a, b)
    assert found.low == pytest.approx(percentile(differences, 0.025))
    assert found.high == pytest.approx(percentile(differences, 0.975))


def test_pairing_removes_what_both_models_share() -> None:
    """b answers exactly a's questions and two more: the paired interval is far narrower than the
    accuracy's."""
    a = np.array([1.0] * 100 + [0.0] * 100)
    b = a.copy()
    b[100:102] = 1
    paired, alone = Bootstrap().difference(b, a), Bootstrap().mean(a)
    assert paired.high - paired.low < 0.04 < alone.high - alone.low


def test_interval_agrees_with_the_normal_approximation() -> None:
    found = Bootstrap(resamples=4000).mean(np.array([1.0] * 120 + [0.0] * 180))
    half = 1.96 * (0.4 * 0.6 / 300) ** 0.5
    assert found.low == pytest.approx(0.4 - half, abs=0.008)
    assert found.high == pytest.approx(0.4 + half, abs=0.008)


def test_draws_depend_on_the_seed_alone() -> None:
    assert (Bootstrap(seed=1).draws(9) == Bootstrap(seed=1).draws(9)).all()
    assert (Bootstrap(seed=1).draws(9) != Bootstrap(seed=2).draws(9)).any()
    assert Bootstrap(resamples=1500).draws(9).shape == (1500, 9)


def test_gap_closed_is_the_formula_by_hand() -> None:
    found = Bootstrap().gap_closed(student_N=STUDENT, base_N=BASE, teacher_N=TEACHER)
    assert found is not None
    assert found.value == pytest.approx((0.5 - 0.2) / (0.8 - 0.2))
    assert found.low < 0.5 < found.high


def test_gap_interval_equals_a_loop_of_ratios() -> None:
    bootstrap = Bootstrap(resamples=1000, seed=11)
    rows = [resampled_means(x, bootstrap.draws(100)) for x in (STUDENT, BASE, TEACHER)]
    ratios = [(s - b) / (t - b) for s, b, t in zip(*rows, strict=True)]
    found = bootstrap.gap_closed(student_N=STUDENT, base_N=BASE, teacher_N=TEACHER)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(
        (percentile(ratios, 0.025), percentile(ratios, 0.975))
    )


@pytest.mark.parametrize(
    "teacher",
    [BASE, 1 - TEACHER, np.repeat([1.0, 0.0], [22, 78])],
    ids=["equal", "worse", "barely"],
)
def test_gap_is_left_out_where_the_teacher_does_not_clearly_beat_the_base(
    teacher: np.ndarray,
) -> None:
    base = np.roll(BASE, 40)
    assert Bootstrap().gap_closed(student_N=STUDENT, base_N=base, teacher_N=teacher) is None
