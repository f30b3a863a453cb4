"""Percentile bootstrap over questions (Efron & Tibshirani 1993, chapter 13), paired between models.

Every model answers the same questions, and every resample draws the same questions for all models.
So the interval of a difference leaves out what the difficulty of the questions contributes to both.

Shapes: x_N has one value for each question, draws_RN the question indices of R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from datagen.records.report import Estimate

Floats: TypeAlias = NDArray[np.float64]

LEVEL = 0.95
"""The level of all intervals."""


@dataclass(frozen=True)
class Bootstrap:
    """Draws questions with replacement.

    The draws are the same for every metric and every model over the same number of questions.
    """

    resamples: int = 2000
    seed: int = 0

    def draws(self, n: int) -> NDArray[np.int64]:
        """Return the question indices of all resamples, [resamples, n]."""
        return np.random.default_rng(self.seed).integers(0, n, size=(self.resamples, n))

    def mean(self, x_N: Floats) -> Estimate:
        """Return the mean of the values, with its interval."""
        return estimate(x_N.mean(), x_N[self.draws(len(x_N))].mean(1))

    def difference(self, a_N: Floats, b_N: Floats) -> Estimate:
        """Return mean(a) - mean(b), paired by question."""
        return self.mean(a_N - b_N)

    def gap_closed(
        self, *, student_N: Floats, base_N: Floats, teacher_N: Floats
    ) -> Estimate | None:
        """Return (student - base) / (teacher - base): 0 is the base, 1 is the teacher.

        Resamples in which teacher and base are equal have no ratio. They are left out of the
        interval.

        Returns:
            The ratio; None where the teacher does not clearly beat the base (the interval of their
            difference reaches 0), because the ratio would be noise.
        """
        if self.difference(teacher_N, base_N).low <= 0:
            return None
        draws_RN = self.draws(len(base_N))
        gained_R = (student_N - base_N)[draws_RN].mean(1)
        gap_R = (teacher_N - base_N)[draws_RN].mean(1)
        # a resample in which teacher and base are equal has no ratio
        kept = gap_R != 0
        whole = (student_N.mean() - base_N.mean()) / (teacher_N.mean() - base_N.mean())
        return estimate(whole, gained_R[kept] / gap_R[kept])


def estimate(value: float | np.floating, resampled_R: Floats) -> Estimate:
    """Return the value with the percentile interval of its resampled values."""
    low, high = np.percentile(resampled_R, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))
