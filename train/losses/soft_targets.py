"""Hard and soft targets together, and in-context distillation: what `train kd` trains by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train.losses.likelihood import masked_mean, nll

if TYPE_CHECKING:
    from torch import Tensor


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
