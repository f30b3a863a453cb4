"""A measured value with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval.

    Example:
        >>> Estimate(0.62, 0.56, 0.68).low
        0.56
    """

    value: float
    low: float
    high: float

    @classmethod
    def read(cls, found: Mapping[str, float] | None) -> Estimate | None:
        """The estimate that a report holds, or None."""
        return None if found is None else cls(found["value"], found["low"], found["high"])


def rounded(estimate: Estimate) -> dict[str, float]:
    """The estimate as a report holds it, with six decimals."""
    return {name: round(value, 6) for name, value in asdict(estimate).items()}
