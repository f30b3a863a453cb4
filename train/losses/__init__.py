"""The losses of the methods. Each takes tensors and returns a scalar.

All functions name their tensors alike. `log_probs`, (..., T), holds log p(y_t | x, y_<t) of the
tokens that were written. `logits`, (..., T, V), are those that predict these tokens (already
shifted). A mask, (..., T), is true where a position counts. Values at other positions have no
influence, as long as they are finite.

The names are imported when they are first used, so that importing this package loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

PLACES = {
    "train.losses.answer_span": ("rationale_answer",),
    "train.losses.candidate_preference": ("preference",),
    "train.losses.chunks": ("chunked",),
    "train.losses.divergences": ("DIVERGENCES", "divergence", "in_context", "jsd", "mixed"),
    "train.losses.info_nce": ("contrast",),
    "train.losses.likelihood": ("masked_mean", "mean_log_likelihood", "nll", "token_log_probs"),
    "train.losses.mcc_kd": ("consistency",),
    "train.losses.scott": ("counterfactual",),
    "train.losses.stored_topk": (
        "bucket",
        "sampled_forward_kl",
        "sampled_reverse_kl",
        "topk_divergence",
    ),
    "train.losses.two_tasks": ("distilling_step_by_step",),
}
"""The modules of the public names."""

MODULES = {name: module for module, names in PLACES.items() for name in names}

__all__ = sorted(MODULES)


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'train.losses' has no attribute {name!r}")
    value = getattr(importlib.import_module(MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})
