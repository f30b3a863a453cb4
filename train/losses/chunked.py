"""A loss over a large vocabulary without the logits of all positions at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.utils.checkpoint import checkpoint

ELEMENTS = 2**24
"""Logits that exist at once by default: 64 MiB in float32, and a small multiple with what is
derived from them."""


def chunked(
    per_position: Callable[..., tuple[Tensor, ...]],
    hidden: Tensor,
    weight: Tensor,
    *targets: Tensor,
    bias: Tensor | None = None,
    rows: int | None = None,
) -> tuple[Tensor, ...]:
    """`per_position(logits, *targets)`, computed on `rows` positions at a time and again in the
    backward pass.

    Hidden states (N, H) and the head's weight (V, H) make logits (rows, V), in float32 at least;
    each target is (N, ...), each result (N, ...). What `per_position` computes last without a
    gradient is not computed again. The results are those of all positions at once; memory is that
    of one chunk, for one more product with the head."""

    def block(hidden: Tensor, *targets: Tensor) -> tuple[Tensor, ...]:
        logits = linear(hidden, weight, bias)
        return per_position(logits if logits.dtype == torch.float64 else logits.float(), *targets)

    size = rows or max(1, ELEMENTS // weight.shape[0])
    if len(hidden) <= size:
        return block(hidden, *targets)
    parts = zip(*(x.split(size) for x in (hidden, *targets)), strict=True)
    results = [
        checkpoint(block, *part, use_reentrant=False, preserve_rng_state=False) for part in parts
    ]
    return tuple(torch.cat(pieces) for pieces in zip(*results, strict=True))
