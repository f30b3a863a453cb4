"""Cross-entropy of the tokens that were written, and the masked mean that all losses use.

A training step may consist of several batches, on several devices. Every mean therefore takes an
optional `count`: the number of positions (or questions) of the whole step. The sum over the batches
of their parts is then the mean over the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def token_log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the log-probability log p(y_t) of each token.

    Args:
        logits: scores of the vocabulary, (..., T, V).
        tokens: token ids, (..., T). Ids below 0 stand for no token and get the value of id 0; mask
            them.

    Returns:
        Log-probabilities in nats, (..., T).
    """
    # log_softmax would make another tensor of the size of the logits
    chosen = logits.gather(-1, tokens.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return chosen - logits.logsumexp(-1)


def masked_mean(values: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Return the mean of the values where the mask is true, and 0 where it is true nowhere.

    Args:
        values: (...).
        mask: which values count, of the same shape.
        count: how many values the whole step has. Default: as many as the mask.

    Returns:
        A scalar: the sum over the mask, divided by the count.
    """
    # at least 1, so that an empty mask gives 0 instead of nan
    number = mask.sum() if count is None else count
    return values.masked_fill(~mask, 0).sum() / number.clamp(min=1)


def nll(log_probs: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Return the cross-entropy over the tokens of the mask, -1/N * sum_t m_t * log p(y_t).

    Args:
        log_probs: log-probabilities of the tokens that were written, (..., T).
        mask: which tokens count, (..., T).
        count: N of the whole step. Default: as many as the mask has.

    Returns:
        A scalar, in nats per token.
    """
    return -masked_mean(log_probs, mask, count)


def mean_log_likelihood(log_probs: Tensor, mask: Tensor) -> Tensor:
    """Return the length-normalised log-likelihood of each sequence, 1/|y| * sum_t log p(y_t).

    Args:
        log_probs: log-probabilities of the tokens, (..., T).
        mask: which tokens belong to the sequence, (..., T).

    Returns:
        Nats per token, (...).
    """
    # at least 1 token, so that an empty row gives 0 instead of nan
    return log_probs.masked_fill(~mask, 0).sum(-1) / mask.sum(-1).clamp(min=1)
