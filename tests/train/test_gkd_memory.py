"""The peak of a training step of `train gkd`, in multiples of the logits of its batch."""

from __future__ import annotations

from pathlib import Path

from tests.bench.gkd_memory import multiples


def test_a_step_needs_less_than_three_times_the_logits(tmp_path: Path) -> None:
    """TRL's `GKDTrainer` needs about 17 times: the measure can tell."""
    before, after, _ = multiples(tmp_path, 4096, 8)
    assert before > 10
    assert after < 3
