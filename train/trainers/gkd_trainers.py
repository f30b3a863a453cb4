"""TRL's trainers of on-policy distillation, with the lineage and the card of a student.

Only this module and `train.trl.server` import TRL's experimental modules (1.16).
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
    """A trainer that mixes the student's own completions with given ones.

    With probability lambda a step's completions are the student's own. Otherwise they are those of
    the dataset or, with `seq_kd`, the teacher's.

    Source:
        Agarwal et al., arXiv 2306.13649, algorithm 1.
    """


class OnPolicyStudent(StudentMixin, DistillationTrainer):
    """A trainer for lambda = 1, with a loss in chunks and, with `use_vllm`, generation by vLLM."""


class ServerStudent(StudentMixin, ServerTrainer):
    """A trainer with its teacher on a vLLM server, which returns only the most probable tokens."""


class GoldStudent(StudentMixin, GOLDTrainer):
    """A trainer for a teacher with another tokenizer: tokens are aligned by the bytes of the text.

    Source:
        ULD, arXiv 2402.12030.
    """


@dataclass(frozen=True)
class Mode:
    """One of TRL's trainers, with its configuration and our subclass."""

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
