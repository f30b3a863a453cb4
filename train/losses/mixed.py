"""Hard and soft targets together, and in-context distillation."""

from __future__ import annotations

from torch import Tensor

from train.losses.divergence import response_kd
from train.losses.likelihood import nll, token_log_probs


def mixed(
    student: Tensor,
    teacher: Tensor,
    tokens: Tensor,
    mask: Tensor,
    *,
    alpha: float = 0.5,
    temperature: float = 1.0,
) -> Tensor:
    """(1−α) · CE(tokens) + α · T² · KL(teacher‖student), means over the mask (Hinton et al. 2015,
    arXiv 1503.02531).

    Logits (..., T, V), token ids and mask (..., T).
    """
    hard = nll(token_log_probs(student, tokens), mask)
    return (1 - alpha) * hard + alpha * response_kd(student, teacher, mask, temperature=temperature)


def in_context(
    student: Tensor,
    teacher: Tensor,
    tokens: Tensor,
    *,
    target: Tensor,
    text: Tensor,
    alpha: float = 0.5,
    beta: float = 1.0,
    temperature: float = 1.0,
) -> Tensor:
    """L_ICL + β · L_LM, each (1−α) · CE(tokens) + α · T² · KL(teacher‖student) (in-context learning
    distillation: Huang et al. 2022, arXiv 2212.10670; its weights are not established, so both are
    here to be set).

    Teacher and student see the same demonstrations and query. `target` (..., T) is true at the
    query's answer (L_ICL), `text` at the tokens of the language-modelling part (L_LM), in the same
    rows or in others of the batch."""
    parts = [
        mixed(student, teacher, tokens, mask, alpha=alpha, temperature=temperature)
        for mask in (target, text)
    ]
    return parts[0] + beta * parts[1]
