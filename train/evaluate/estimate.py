"""How a report holds an estimate."""

from __future__ import annotations

from dataclasses import asdict

from datagen.records.report import Estimate


def rounded(estimate: Estimate) -> dict[str, float]:
    """Return the estimate as a report holds it, with six decimals."""
    return {name: round(value, 6) for name, value in asdict(estimate).items()}
