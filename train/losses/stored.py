"""Response distillation without the teacher: from its K most probable tokens, as a dataset stores
them, or from the one token that was drawn.

What is stored at a position: the K ids, their log-probabilities under the full softmax, and the
tail's mass, the probability of all other tokens together. The tail counts as one more outcome, on
both sides, so that nothing is renormalised: renormalising over the K alone teaches the student to
be too sure. Joining outcomes never increases a divergence, and with K = V it is the full one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from train.losses.divergence import divergence
from train.losses.likelihood import masked_mean

LEAST_TAIL = 1e-30
"""A tail of no mass counts as this, lest a reverse KL be infinite where the stored tail was rounded
to 0."""


def bucket(logits: Tensor, ids: Tensor) -> Tensor:
    """The student's log-probabilities of the K ids and, last, of all other tokens: (..., V), (...,
    K) → (..., K+1).

    The ids of a position differ from one another.
    """
    normaliser = logits.logsumexp(-1, keepdim=True)
    others = logits.scatter(-1, ids, torch.finfo(logits.dtype).min).logsumexp(-1, keepdim=True)
    tail = (others - normaliser).clamp(min=math.log(LEAST_TAIL))
    return torch.cat([logits.gather(-1, ids) - normaliser, tail], dim=-1)


def stored(logprobs: Tensor, tail: Tensor) -> Tensor:
    """The teacher's side of `bucket`: log-probabilities (..., K) and the tail's mass (...) → (...,
    K+1)."""
    return torch.cat([logprobs, tail.clamp(min=LEAST_TAIL).log().unsqueeze(-1)], dim=-1)


def topk_divergence(
    logits: Tensor,
    ids: Tensor,
    logprobs: Tensor,
    tail: Tensor,
    *,
    kind: str = "forward_kl",
    temperature: float = 1.0,
) -> Tensor:
    """T² · D over K+1 outcomes at each position: student's logits (..., V); ids and teacher's
    log-probabilities (..., K); tail (...). Gives (...).

    With T ≠ 1 the K+1 outcomes are tempered, the tail as one: how its mass is spread is not stored.
    """
    return divergence(
        stored(logprobs, tail).to(logits.dtype), bucket(logits, ids), kind, temperature=temperature
    )


def topk_kd(
    logits: Tensor,
    ids: Tensor,
    logprobs: Tensor,
    tail: Tensor,
    mask: Tensor,
    *,
    kind: str = "forward_kl",
    temperature: float = 1.0,
) -> Tensor:
    """The mean of `topk_divergence` over the positions of the mask (..., T)."""
    return masked_mean(
        topk_divergence(logits, ids, logprobs, tail, kind=kind, temperature=temperature), mask
    )


def sampled_forward_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """1/N · Σ_t (log T(y_t) − log S(y_t)): KL(T‖S) estimated from the one token that the *teacher*
    drew, without bias.

    Log-probabilities (..., T) of the drawn tokens. Its gradient is that of cross-entropy on the
    teacher's samples (sequence-level distillation: Kim and Rush 2016, arXiv 1606.07947)."""
    return masked_mean(teacher - student, mask)


def sampled_reverse_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """1/N · Σ_t −A_t · log S(y_t), A_t = −(log S(y_t) − log T(y_t)) held constant, y_t drawn by the
    *student*.

    Its gradient is that of KL(S‖T) at each position without bias (the score-function estimator;
    MiniLLM, arXiv 2306.08543, section 2.2, its single-step part). Its value is no estimate of the
    divergence."""
    return masked_mean((student - teacher).detach() * student, mask)
