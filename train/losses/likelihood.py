"""Losses on the likelihood of tokens that were written: rationale and answer, two tasks,
counterfactuals."""

from __future__ import annotations

from torch import Tensor


def token_log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """log p(y_t), in nats: logits (..., T, V) and token ids (..., T) give (..., T). Ids below 0
    stand for no token and get the value of id 0; mask them."""
    chosen = logits.gather(-1, tokens.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return chosen - logits.logsumexp(-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of `values` where `mask` is true; 0 where it is true nowhere. Both of one shape; a
    scalar."""
    return values.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


def nll(log_probs: Tensor, mask: Tensor) -> Tensor:
    """−1/N · Σ_t m_t · log p(y_t), N = Σ m_t: cross-entropy over the tokens of the mask, in nats
    per token."""
    return -masked_mean(log_probs, mask)


def mean_log_likelihood(log_probs: Tensor, mask: Tensor) -> Tensor:
    """Length-normalised log-likelihood of each sequence, 1/|y| · Σ_t log p(y_t): (..., T) gives
    (...)."""
    return log_probs.masked_fill(~mask, 0).sum(-1) / mask.sum(-1).clamp(min=1)


def rationale_answer(
    log_probs: Tensor, *, rationale: Tensor, answer: Tensor, alpha: float = 0.5
) -> Tensor:
    """(1−α) · L_rationale + α · L_answer, each −1/N_span · Σ_{t in span} log p(y_t) over the whole
    batch.

    Each span has its own normaliser, because a handful of answer tokens vanishes beside 150 of a
    rationale. A span that no row has contributes 0. `log_probs` and both masks are (..., T)."""
    return (1 - checked(alpha)) * nll(log_probs, rationale) + alpha * nll(log_probs, answer)


def checked(alpha: float) -> float:
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it lies from 0 to 1")
    return alpha


def distilling_step_by_step(
    label: Tensor,
    *,
    label_mask: Tensor,
    rationale: Tensor,
    rationale_mask: Tensor,
    alpha: float = 0.5,
) -> Tensor:
    """α · L_label + (1−α) · L_rationale over two tasks: two forward passes over the same questions,
    one asked for the label and one for the rationale (Hsieh et al. 2023, arXiv 2305.02301, section
    3.2, with the weights of its code).

    `label` (..., T1) and `rationale` (..., T2) are the log-probabilities of each task's tokens.
    """
    return alpha * nll(label, label_mask) + (1 - alpha) * nll(rationale, rationale_mask)


def counterfactual(
    factual: Tensor,
    *,
    factual_mask: Tensor,
    counterfactual: Tensor,
    answer_mask: Tensor,
    weight: float = 0.5,
) -> Tensor:
    """(1−w) · L_factual + w · L_counterfactual (SCOTT: Wang et al. 2023, arXiv 2305.01879, section
    3.2).

    `factual` (..., T1) holds the tokens of rationale and answer. In `counterfactual` (..., T2) the
    rationale argues for a wrong answer and is given: only the tokens of the answer it leads to are
    learned, so `answer_mask` is true at these alone. The student learns to answer what its
    rationale says."""
    return (1 - weight) * nll(factual, factual_mask) + weight * nll(counterfactual, answer_mask)
