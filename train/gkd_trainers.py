"""TRL's trainers of on-policy distillation, as students: with `gkd_server` the one place that knows
TRL's experimental modules (1.16)."""

from __future__ import annotations

from trl import DistillationConfig, DistillationTrainer
from trl.experimental.gkd import GKDConfig, GKDTrainer
from trl.experimental.gold import GOLDConfig, GOLDTrainer
from trl.experimental.server_distillation import ServerDistillationConfig

from train.gkd_server import ServerStudent
from train.student import Student


class GkdStudent(Student, GKDTrainer):
    """With probability λ a step's completions are the student's own, else the dataset's (or,
    `seq_kd`, the teacher's).

    Agarwal et al., arXiv 2306.13649, algorithm 1.
    """


class OnPolicyStudent(Student, DistillationTrainer):
    """λ = 1, with a loss in chunks and generation by vLLM where `use_vllm` says so."""


class GoldStudent(Student, GOLDTrainer):
    """Teacher and student have other tokens: both read the same text, aligned by bytes (ULD, arXiv
    2402.12030)."""


CONFIGS = {
    "gkd": GKDConfig,
    "on-policy": DistillationConfig,
    "server": ServerDistillationConfig,
    "gold": GOLDConfig,
}
STUDENTS = {
    "gkd": GkdStudent,
    "on-policy": OnPolicyStudent,
    "server": ServerStudent,
    "gold": GoldStudent,
}
