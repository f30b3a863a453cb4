"""The losses: tensors in, scalar out, one per method, each with its formula, shapes and source.

Everywhere: `log_probs` of shape (..., T) holds log p(y_t | x, y_<t) of the tokens that were
written, `logits` of shape (..., T, V) are those that predict these tokens (already shifted), and a
mask of shape (..., T) is true where a position counts. What stands at other positions has no
influence, as long as it is finite."""

from train.losses.chunked import chunked
from train.losses.divergence import DIVERGENCES, divergence, jsd, response_kd
from train.losses.groups import consistency, contrast, preference
from train.losses.likelihood import (
    counterfactual,
    distilling_step_by_step,
    masked_mean,
    mean_log_likelihood,
    nll,
    rationale_answer,
    token_log_probs,
)
from train.losses.mixed import in_context, mixed
from train.losses.stored import (
    bucket,
    sampled_forward_kl,
    sampled_reverse_kl,
    topk_divergence,
    topk_kd,
)

__all__ = [
    "DIVERGENCES",
    "bucket",
    "chunked",
    "consistency",
    "contrast",
    "counterfactual",
    "distilling_step_by_step",
    "divergence",
    "in_context",
    "jsd",
    "masked_mean",
    "mean_log_likelihood",
    "mixed",
    "nll",
    "preference",
    "rationale_answer",
    "response_kd",
    "sampled_forward_kl",
    "sampled_reverse_kl",
    "token_log_probs",
    "topk_divergence",
    "topk_kd",
]
