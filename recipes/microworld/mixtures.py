"""The models: their sizes, and what they read at which time of their training.

The shares were found by trial, with the accuracy of each ability in the training log (`probes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """The size of a model and the plan of its training."""

    width: int
    layers: int
    heads: int
    hidden: int
    stages: tuple[tuple[float, dict[str, float]], ...]
    """Stages in order. Each has its end and its mixture: a number of tokens, or a fraction of all
    tokens if it is at most 1, and the share of each kind of document."""
    rate: float = 0.02
    """The peak learning rate of Muon, for the matrices."""
    adam_rate: float = 0.003
    """The peak learning rate of AdamW, for all other parameters."""
    looks_back: bool = False
    """Whether training begins with attention heads that look back (`structure.py`)."""


def _mix(**shares: float) -> dict[str, float]:
    """Return the share of tokens of each kind of document."""
    return shares


MODELS = {
    "teacher": Model(
        width=256,
        layers=4,
        heads=4,
        hidden=672,
        stages=(
            # First what the later stages build on: copying from the context.
            (1e6, _mix(recall=0.6, repeat=0.1, rule=0.3)),
            # Then mostly rules, which need the copying.
            (4.5e6, _mix(rule=0.9, recall=0.05, repeat=0.05)),
            (
                0.5,
                _mix(
                    rule=0.3,
                    rationale=0.4,
                    direct=0.01,
                    arithmetic=0.08,
                    one=0.06,
                    two=0.06,
                    three=0.03,
                    writing=0.06,
                ),
            ),
            (
                1.0,
                _mix(
                    rule=0.24,
                    rationale=0.45,
                    direct=0.01,
                    arithmetic=0.05,
                    one=0.05,
                    two=0.07,
                    three=0.05,
                    writing=0.08,
                ),
            ),
        ),
        looks_back=True,
    ),
    "student": Model(
        width=112,
        layers=4,
        heads=4,
        hidden=224,
        stages=(
            # The student gets parts of the abilities, such as single steps. It can solve few
            # problems by itself, so that distillation has something to add.
            (
                8e6,
                _mix(rule=0.1, one_step=0.15, next_step=0.4, direct=0.1, arithmetic=0.17, one=0.08),
            ),
            (
                1.0,
                _mix(
                    rule=0.06, one_step=0.1, next_step=0.52, direct=0.05, arithmetic=0.22, one=0.05
                ),
            ),
        ),
    ),
    # A model that learns little but copying from its context.
    "reader": Model(
        width=112,
        layers=4,
        heads=4,
        hidden=224,
        stages=((4e5, _mix(recall=0.8, repeat=0.2)), (1.0, _mix(recall=0.5, repeat=0.2, one=0.3))),
        looks_back=True,
    ),
}
