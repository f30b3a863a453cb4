"""A structured start: the circuit that reads `x -> y` back is laid out, not waited for.

Layer 0 has three heads that look 1, 2 and 3 tokens back and write what they see into one part of the stream; heads of layer 1
attend where that part is alike, and copy the token found there (induction heads; Olsson et al. 2022, arXiv 2209.11895). All
of it is free to change in training.
"""

from __future__ import annotations


import torch
from transformers import LlamaForCausalLM

SHARE = 64
"""Width of the part of the stream that holds the tokens before; the last channels."""
CONSTANT = 10.0
"""Channel 0 of every embedding, in standard deviations of the others: a bias for the heads that look at positions. It
shifts all logits alike."""
FAST, SLOW = 8, 12
"""Rotary frequencies below FAST tell neighbours apart; those from SLOW on hardly turn within a document."""


@torch.no_grad()
def structure(llama: LlamaForCausalLM, *, match: float = 2.5, copy: float = 0.25, keep: float = 0.1) -> None:
    """Lay out the circuit in place. Needs width 256 and heads of 64."""
    table = llama.model.embed_tokens.weight
    spread = float(table[:, 1:].std())
    table[:, -SHARE:] *= keep
    table[:, 0] = CONSTANT * spread
    first, second, third = llama.model.layers[0].self_attn, llama.model.layers[1].self_attn, llama.model.layers[2].self_attn
    value = _directions(table.shape[1], SHARE)
    for head in range(3):
        _look_back(first, head, head + 1, value, 1.4 * spread)
    for head in range(2):
        _match(second, head, table.shape[1], match)
        _copy(second, head, table.shape[1], copy)
        _copy(third, head, table.shape[1], copy)


def _directions(width: int, rows: int) -> torch.Tensor:
    """Orthonormal rows over the channels that hold the token itself: (rows, width)."""
    found = torch.zeros(rows, width)
    found[:, 1:-SHARE] = torch.linalg.qr(torch.randn(width - 1 - SHARE, rows))[0].T
    return found


def _head(head: int, size: int = 64) -> slice:
    return slice(head * size, (head + 1) * size)


def _look_back(attention: torch.nn.Module, head: int, offset: int, value: torch.Tensor, scale: float) -> None:
    """Attend `offset` tokens back, by the constant alone, and write what is there into the share."""
    rows, half = _head(head), 32
    query, key = attention.q_proj.weight[rows], attention.k_proj.weight[rows]
    query *= 0.2
    key *= 0.2
    turns = offset * 10000.0 ** (-torch.arange(FAST) / half)
    key[:FAST, 0] = 0.65
    query[:FAST, 0] = 0.65 * torch.cos(turns)
    query[half : half + FAST, 0] = -0.65 * torch.sin(turns)
    attention.v_proj.weight[rows] = value
    attention.o_proj.weight[:, rows] = 0.0
    attention.o_proj.weight[-SHARE:, rows] = scale * torch.eye(SHARE)


def _match(attention: torch.nn.Module, head: int, width: int, scale: float) -> None:
    """Attend where the share is like one's own; in slow channels, so that distance hardly matters."""
    slow = torch.cat([torch.arange(SLOW, 32), torch.arange(32 + SLOW, 64)])
    project = torch.linalg.qr(torch.randn(SHARE, len(slow)))[0].T * scale
    for weight in (attention.q_proj.weight, attention.k_proj.weight):
        weight[_head(head)] *= 0.2
        rows = torch.zeros(64, width)
        rows[slow, -SHARE:] = project
        weight[_head(head)] += rows


def _copy(attention: torch.nn.Module, head: int, width: int, scale: float) -> None:
    """Write the token that is attended to: the output is the value's transpose."""
    value = _directions(width, 64)
    attention.v_proj.weight[_head(head)] = value
    attention.o_proj.weight[:, _head(head)] = scale * value.T


