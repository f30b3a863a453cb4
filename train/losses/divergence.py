"""Response distillation: divergences between the teacher's and the student's distribution of the
next token.

Each takes log-probabilities of shape (..., V), teacher first, and gives (...) in nats. They are
finite: an entry that is impossible (−inf) counts as one of probability e^−1000."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from train.losses.likelihood import masked_mean

IMPOSSIBLE = -1e3


def forward_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(T‖S) = Σ_v T_v · (log T_v − log S_v) (Hinton et al. 2015, arXiv 1503.02531)."""
    return (teacher.exp() * (teacher - student)).sum(-1)


def reverse_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(S‖T) (MiniLLM: Gu et al. 2023, arXiv 2306.08543, here token by token)."""
    return forward_kl(student, teacher)


def jsd(teacher: Tensor, student: Tensor, *, beta: float = 0.5) -> Tensor:
    """β · KL(T‖M) + (1−β) · KL(S‖M), M = β·T + (1−β)·S (GKD: Agarwal et al. 2023, arXiv 2306.13649,
    section 2).

    It is 0 at both ends of β; what it tends to there, divided by β or 1−β, are `forward_kl` and
    `reverse_kl`."""
    if not 0 < beta < 1:
        raise ValueError(
            f"beta is {beta}; it lies between 0 and 1, at whose ends are forward_kl and reverse_kl"
        )
    mixture = mix(teacher, student, beta)
    return beta * forward_kl(teacher, mixture) + (1 - beta) * forward_kl(student, mixture)


def skewed_kl(teacher: Tensor, student: Tensor, *, skew: float = 0.1) -> Tensor:
    """KL(T ‖ λ·T + (1−λ)·S), bounded by −log λ (DistiLLM: Ko et al. 2024, arXiv 2402.03898, section
    3.1)."""
    return forward_kl(teacher, mix(teacher, student, skew))


def total_variation(teacher: Tensor, student: Tensor) -> Tensor:
    """½ · Σ_v |T_v − S_v|, from 0 to 1 (f-distill: Wen et al. 2023, arXiv 2307.15190)."""
    return (teacher.exp() - student.exp()).abs().sum(-1) / 2


def mix(teacher: Tensor, student: Tensor, share: float) -> Tensor:
    """log(share · T + (1−share) · S)."""
    return torch.logaddexp(teacher + math.log(share), student + math.log1p(-share))


DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "jsd": jsd,
    "skewed_kl": skewed_kl,
    "total_variation": total_variation,
}
"""By name, `jsd` and `skewed_kl` with the published weight."""


def divergence(
    teacher: Tensor, student: Tensor, kind: str = "forward_kl", *, temperature: float = 1.0
) -> Tensor:
    """T² · D(softmax(teacher/T) ‖ softmax(student/T)) from logits, or log-probabilities, (..., V);
    gives (...).

    The factor T² keeps the size of the gradient as T grows (Hinton et al. 2015, section 2).
    """
    tempered = [(x / temperature).log_softmax(-1).clamp(min=IMPOSSIBLE) for x in (teacher, student)]
    return temperature**2 * DIVERGENCES[kind](*tempered)


def response_kd(
    student: Tensor,
    teacher: Tensor,
    mask: Tensor,
    *,
    kind: str = "forward_kl",
    temperature: float = 1.0,
) -> Tensor:
    """The mean divergence over the positions of the mask, from full logits (..., T, V) of one
    vocabulary."""
    return masked_mean(divergence(teacher, student, kind, temperature=temperature), mask)
