"""Computing a loss over a large vocabulary without the logits of all positions at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.utils.checkpoint import checkpoint

ELEMENTS = 2**24
"""The default number of logits that exist at once. They take 64 MiB in float32, and what is derived
from them takes a small multiple of that."""


def chunked(
    per_position: Callable[..., tuple[Tensor, ...]],
    hidden: Tensor,
    weight: Tensor,
    *targets: Tensor,
    bias: Tensor | None = None,
    rows: int | None = None,
) -> tuple[Tensor, ...]:
    """Return `per_position(logits, *targets)`, computed on `rows` positions at a time.

    The backward pass computes each chunk again. So only one chunk is in memory, at the price of one
    more product with the head. The results are the same as for all positions at once.

    Args:
        per_position: takes logits (rows, V) and targets (rows, ...), returns results (rows, ...).
            What it computes last without a gradient is not computed again.
        hidden: hidden states, (N, H).
        weight: the head's weight, (V, H). Logits are in float32 at least.
        targets: further tensors, (N, ...).
        bias: the head's bias, (V,).
        rows: positions of a chunk. Default: as many as have 2^24 logits.

    Returns:
        The results, each (N, ...).
    """

    def block(hidden: Tensor, *targets: Tensor) -> tuple[Tensor, ...]:
        # bfloat16 has 8 bits: a softmax over a large vocabulary needs more
        logits = linear(hidden, weight, bias)
        return per_position(logits if logits.dtype == torch.float64 else logits.float(), *targets)

    size = rows or max(1, ELEMENTS // weight.shape[0])
    # one chunk fits: computing it a second time would save nothing
    if len(hidden) <= size:
        return block(hidden, *targets)
    parts = zip(*(x.split(size) for x in (hidden, *targets)), strict=True)
    results = [
        checkpoint(block, *part, use_reentrant=False, preserve_rng_state=False) for part in parts
    ]
    return tuple(torch.cat(pieces) for pieces in zip(*results, strict=True))
