"""Response distillation: divergences from the teacher, alone and together with the cross-entropy.

A divergence compares the next-token distributions of teacher and student. Each function of
`DIVERGENCES` takes log-probabilities of shape (..., V), the teacher's first, and returns nats of
shape (...). The results are finite: an impossible entry (-inf) counts as a probability of e^-1000.

`mixed` and `in_context` are the losses of `train kd`. They add the cross-entropy of the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from train.losses.likelihood import masked_mean, nll

if TYPE_CHECKING:
    from torch import Tensor

IMPOSSIBLE = -1e3
"""Log-probability of an impossible token. It is finite, so that gradients stay finite; e^-1000 is
0 in every precision, so that no sum notices it."""


def forward_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """Return KL(T||S) = sum_v T_v * (log T_v - log S_v).

    Source:
        Hinton et al. 2015, arXiv 1503.02531.
    """
    return (teacher.exp() * (teacher - student)).sum(-1)


def reverse_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """Return KL(S||T), token by token.

    Source:
        MiniLLM: Gu et al. 2023, arXiv 2306.08543.
    """
    return forward_kl(student, teacher)


def jsd(teacher: Tensor, student: Tensor, *, beta: float = 0.5) -> Tensor:
    """Return b * KL(T||M) + (1-b) * KL(S||M), with M = b*T + (1-b)*S.

    The value is 0 at both ends of beta. Divided by beta or by 1-beta, it tends to `forward_kl` and
    to `reverse_kl` there.

    Raises:
        ValueError: beta does not lie between 0 and 1.

    Source:
        GKD: Agarwal et al. 2023, arXiv 2306.13649, section 2.
    """
    if not 0 < beta < 1:
        raise ValueError(
            f"beta is {beta}; it must lie between 0 and 1. The ends are forward_kl and reverse_kl"
        )
    mixture = mix(teacher, student, beta)
    return beta * forward_kl(teacher, mixture) + (1 - beta) * forward_kl(student, mixture)


def skewed_kl(teacher: Tensor, student: Tensor, *, skew: float = 0.1) -> Tensor:
    """Return KL(T || skew*T + (1-skew)*S), which is at most -log(skew).

    Source:
        DistiLLM: Ko et al. 2024, arXiv 2402.03898, section 3.1.
    """
    return forward_kl(teacher, mix(teacher, student, skew))


def total_variation(teacher: Tensor, student: Tensor) -> Tensor:
    """Return 1/2 * sum_v |T_v - S_v|, from 0 to 1.

    Source:
        f-distill: Wen et al. 2023, arXiv 2307.15190.
    """
    return (teacher.exp() - student.exp()).abs().sum(-1) / 2


def mix(teacher: Tensor, student: Tensor, share: float) -> Tensor:
    """Return log(share * T + (1-share) * S)."""
    import torch

    # in log space, where small probabilities do not round to 0
    return torch.logaddexp(teacher + math.log(share), student + math.log1p(-share))


DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "forward_kl": forward_kl,
    "reverse_kl": reverse_kl,
    "jsd": jsd,
    "skewed_kl": skewed_kl,
    "total_variation": total_variation,
}
"""The divergences by name. `jsd` and `skewed_kl` have the weight that their papers use."""


def divergence(
    teacher: Tensor, student: Tensor, kind: str = "forward_kl", *, temperature: float = 1.0
) -> Tensor:
    """Return T^2 * D(softmax(teacher/T) || softmax(student/T)) at each position.

    The factor T^2 keeps the size of the gradient as T grows.

    Args:
        teacher: logits or log-probabilities, (..., V).
        student: logits or log-probabilities, (..., V).
        kind: a name in `DIVERGENCES`.
        temperature: T.

    Returns:
        Nats, (...).

    Source:
        Hinton et al. 2015, arXiv 1503.02531, section 2.
    """
    # tempered logits are normalised anew, so logits and log-probabilities give the same
    tempered = [(x / temperature).log_softmax(-1).clamp(min=IMPOSSIBLE) for x in (teacher, student)]
    return temperature**2 * DIVERGENCES[kind](*tempered)


def mixed(
    log_probs: Tensor,
    divergence: Tensor,
    mask: Tensor,
    *,
    sft_weight: float = 0.5,
    kd_weight: float = 0.5,
    count: Tensor | None = None,
) -> Tensor:
    """Return sft_weight * CE + kd_weight * D, each a mean over the mask.

    With weights 1-alpha and alpha, and D = T^2 * KL(teacher||student), this is Hinton's loss.

    Args:
        log_probs: the student's log-probabilities of the tokens, (..., T).
        divergence: the divergence from the teacher at each token, (..., T): `divergence` from full
            logits, `topk_divergence` from stored ones.
        mask: which tokens count, (..., T).
        sft_weight: weight of the cross-entropy.
        kd_weight: weight of the divergence.
        count: the number of tokens of the whole step. Default: as many as the mask has.

    Source:
        Hinton et al. 2015, arXiv 1503.02531.
    """
    hard = nll(log_probs, mask, count)
    soft = masked_mean(divergence, mask, count)
    return sft_weight * hard + kd_weight * soft


def in_context(
    log_probs: Tensor,
    divergence: Tensor,
    *,
    target: Tensor,
    text: Tensor,
    sft_weight: float = 0.5,
    kd_weight: float = 0.5,
    lm_weight: float = 1.0,
    counts: tuple[Tensor | None, Tensor | None] = (None, None),
) -> Tensor:
    """Return L_ICL + lm_weight * L_LM, each of them `mixed` over its own tokens.

    Teacher and student see the same demonstrations and the same query. The weights of the paper are
    not established, so all of them are arguments.

    Args:
        log_probs: the student's log-probabilities of the tokens, (..., T).
        divergence: the divergence from the teacher at each token, (..., T).
        target: true at the tokens of the query's answer (L_ICL), (..., T).
        text: true at the tokens of the language-modelling part (L_LM), (..., T). They may stand in
            the same rows or in others.
        sft_weight: weight of the cross-entropy in both parts.
        kd_weight: weight of the divergence in both parts.
        lm_weight: weight of L_LM.
        counts: the numbers of target and text tokens of the whole step. Default: those of the
            masks.

    Source:
        In-context learning distillation: Huang et al. 2022, arXiv 2212.10670.
    """
    answer, language = (
        mixed(log_probs, divergence, mask, sft_weight=sft_weight, kd_weight=kd_weight, count=count)
        for mask, count in zip((target, text), counts, strict=True)
    )
    return answer + lm_weight * language
