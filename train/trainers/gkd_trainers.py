"""TRL's trainers of on-policy distillation, with the lineage and the card of a student.

Only this module and `train.trl` import TRL's experimental modules (1.16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trl import DistillationTrainer
from trl.experimental.gold import GOLDConfig, GOLDTrainer
from trl.experimental.server_distillation import ServerDistillationTrainer

from train.trainers.student import StudentMixin
from train.trl.distillation import GkdConfig, GkdTrainer, ServerGkdConfig
from train.trl.server import ServerTrainer


class GkdStudent(StudentMixin, GkdTrainer):
    """A trainer whose completions are, with probability lambda, the student's own.

    Source:
        Agarwal et al., arXiv 2306.13649, algorithm 1.
    """


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
    "gkd": Mode(GkdConfig, GkdStudent, DistillationTrainer),
    "server": Mode(ServerGkdConfig, ServerStudent, ServerDistillationTrainer),
    "gold": Mode(GOLDConfig, GoldStudent, GOLDTrainer),
}
