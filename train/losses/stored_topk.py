"""Response distillation from stored probabilities: no teacher is in memory.

The teacher is known by its K most probable tokens, or by the one token that was sampled.

A dataset stores at each position the K ids, their log-probabilities under the full softmax, and the
mass of the tail: the probability of all other tokens together. The tail counts as one more outcome,
for both models, so nothing is renormalised. Renormalising over the K tokens alone would teach the
student to be too sure. Joining outcomes never increases a divergence, and with K = V the result is
the full divergence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from train.losses.divergences import divergence
from train.losses.likelihood import masked_mean

if TYPE_CHECKING:
    from torch import Tensor

LEAST_TAIL = 1e-30
"""The least mass of a tail. A stored tail may be rounded to 0, and a reverse KL would be infinite.
1e-30 is far below every tail that matters, and above the smallest float32 number, 1e-38."""


def bucket(logits: Tensor, ids: Tensor) -> Tensor:
    """Return the student's log-probabilities of the K ids and, last, of all other tokens.

    Args:
        logits: (..., V).
        ids: (..., K). The ids of one position differ from each other.

    Returns:
        Log-probabilities, (..., K+1).
    """
    import torch

    # The tail comes from the other logits, not from 1 - sum. Where the K tokens have almost all of
    # the mass, the difference of nearly equal numbers would be nothing but rounding.
    normaliser = logits.logsumexp(-1, keepdim=True)
    others = logits.scatter(-1, ids, torch.finfo(logits.dtype).min).logsumexp(-1, keepdim=True)
    tail = (others - normaliser).clamp(min=math.log(LEAST_TAIL))
    return torch.cat([logits.gather(-1, ids) - normaliser, tail], dim=-1)


def with_tail(logprobs: Tensor, tail: Tensor) -> Tensor:
    """Return the teacher's log-probabilities of the K ids and, last, of all other tokens.

    Args:
        logprobs: the stored log-probabilities, (..., K).
        tail: the mass of all other tokens, (...).

    Returns:
        Log-probabilities, (..., K+1).
    """
    import torch

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
    """Return T^2 * D over K+1 outcomes at each position.

    If T is not 1, the temperature applies to the K+1 outcomes. The tail is one of them, because the
    dataset does not store how its mass is spread.

    Args:
        logits: the student's, (..., V).
        ids: the stored ids, (..., K).
        logprobs: the teacher's log-probabilities of these, (..., K).
        tail: the teacher's mass of all other tokens, (...).
        kind: a name in `DIVERGENCES`.
        temperature: T.

    Returns:
        Nats, (...).
    """
    teacher = with_tail(logprobs, tail).to(logits.dtype)
    return divergence(teacher, bucket(logits, ids), kind, temperature=temperature)


def sampled_forward_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Return 1/N * sum_t (log T(y_t) - log S(y_t)), for tokens that the *teacher* sampled.

    The value estimates KL(T||S) without bias. Its gradient is that of cross-entropy on the
    teacher's samples (sequence-level distillation).

    Args:
        student: log-probabilities of the sampled tokens, (..., T).
        teacher: log-probabilities of the sampled tokens, (..., T).
        mask: which tokens count, (..., T).

    Source:
        Kim and Rush 2016, arXiv 1606.07947.
    """
    return masked_mean(teacher - student, mask)


def sampled_reverse_kl(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """Return 1/N * sum_t -A_t * log S(y_t), for tokens that the *student* sampled.

    A_t = -(log S(y_t) - log T(y_t)) is held constant. The gradient is that of KL(S||T) at each
    position, without bias (the score-function estimator). The value does not estimate the
    divergence.

    Args:
        student: log-probabilities of the sampled tokens, (..., T).
        teacher: log-probabilities of the sampled tokens, (..., T).
        mask: which tokens count, (..., T).

    Source:
        MiniLLM: Gu et al. 2023, arXiv 2306.08543, section 2.2, the single-step part.
    """
    return masked_mean((student - teacher).detach() * student, mask)
