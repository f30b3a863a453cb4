"""TRL's trainers of on-policy distillation, as students. With `train.trl.server` this is the one
place that imports TRL's experimental modules (1.16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trl import DistillationConfig, DistillationTrainer
from trl.experimental.gkd import GKDConfig, GKDTrainer
from trl.experimental.gold import GOLDConfig, GOLDTrainer
from trl.experimental.server_distillation import (
    ServerDistillationConfig,
    ServerDistillationTrainer,
)

from train.trainers.student import StudentMixin
from train.trl.server import ServerTrainer


class GkdStudent(StudentMixin, GKDTrainer):
    """With probability lambda a step's completions are the student's own.

    Else they are the dataset's or, with `seq_kd`, the teacher's.

    Source:
        Agarwal et al., arXiv 2306.13649, algorithm 1.
    """


class OnPolicyStudent(StudentMixin, DistillationTrainer):
    """lambda = 1, with a loss in chunks, and generation by vLLM where `use_vllm` says so."""


class ServerStudent(StudentMixin, ServerTrainer):
    """The teacher is behind a vLLM server, which gives its most probable tokens alone."""


class GoldStudent(StudentMixin, GOLDTrainer):
    """Teacher and student have other tokens: both read the same text, aligned by bytes.

    Source:
        ULD, arXiv 2402.12030.
    """


@dataclass(frozen=True)
class Mode:
    """One of TRL's trainers."""

    config: type[Any]
    student: type[Any]
    trainer: type[Any]
    """TRL's own class, whose name the lineage states."""


MODES = {
    "gkd": Mode(GKDConfig, GkdStudent, GKDTrainer),
    "on-policy": Mode(DistillationConfig, OnPolicyStudent, DistillationTrainer),
    "server": Mode(ServerDistillationConfig, ServerStudent, ServerDistillationTrainer),
    "gold": Mode(GOLDConfig, GoldStudent, GOLDTrainer),
}
