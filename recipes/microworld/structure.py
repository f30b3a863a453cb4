"""A structured start for in-context learning: heads that already look back, and one pair that
already matches.

The circuit that copies what followed the same key before (an induction head, arXiv 2209.11895) is
slow to form from random weights. Here layer 0 starts with heads that attend exactly 1, 2 and 3
positions back, by biases of queries and keys under rotary positions, and note what stands there in
a subspace each. Layer 1 starts with heads that compare "one back" (or three back, where a chat turn
ends in between) with "two back": the query `x ->` finds the `y` of an earlier `x -> y`. All of it
is trained on like any other weight."""

from __future__ import annotations

import torch
from transformers import LlamaForCausalLM

OFFSETS = (1, 2, 3)
SHARPNESS = 6.0
"""Query and key bias on each of the fast rotary frequencies: attention to the offset of .92 to 1.0
at the start."""
NOTE = 0.35
"""Scale of what a head writes, so that the token's own embedding stays legible beside it."""
MATCH = 1.4
COPY = 0.7
QUIET = 0.05
"""Scale of all other outputs at the start."""


@torch.no_grad()
def look_back(llama: LlamaForCausalLM) -> None:
    """Lay the heads out in a fresh model of at least two layers and four heads, with biases of
    attention."""
    layers, width = llama.model.layers, llama.config.hidden_size
    head = width // llama.config.num_attention_heads
    for layer in layers:
        layer.self_attn.o_proj.weight.mul_(QUIET)
        layer.mlp.down_proj.weight.mul_(QUIET)
    notes = torch.linalg.qr(torch.randn(width, head * len(OFFSETS)))[0].T.split(head)
    _offsets(layers[0].self_attn, notes, head, float(llama.config.rope_parameters["rope_theta"]))
    for layer in layers[1:]:
        _copying(layer.self_attn, head)
    _matching(layers[1].self_attn, (notes[0], notes[2]), notes[1], head)


def _offsets(
    attention: torch.nn.Module, notes: tuple[torch.Tensor, ...], head: int, theta: float
) -> None:
    """Head i attends OFFSETS[i] back: its query bias is its key bias turned back by so many
    positions."""
    half, fast = head // 2, head // 4
    frequencies = theta ** (-torch.arange(half) * 2 / head)
    value = torch.linalg.qr(torch.randn(attention.v_proj.in_features, head))[0].T
    for i, (back, note) in enumerate(zip(OFFSETS, notes, strict=True)):
        rows, strength = slice(i * head, (i + 1) * head), torch.zeros(half)
        strength[:fast] = SHARPNESS
        turn = -back * frequencies
        attention.k_proj.bias[rows] = torch.cat((strength, torch.zeros(half)))
        attention.q_proj.bias[rows] = torch.cat((strength * turn.cos(), strength * turn.sin()))
        attention.v_proj.weight[rows] = NOTE * value
        attention.o_proj.weight[:, rows] = NOTE * note.T


def _copying(attention: torch.nn.Module, head: int) -> None:
    """The first two heads put out what they read."""
    for i in range(2):
        rows = slice(i * head, (i + 1) * head)
        attention.o_proj.weight[:, rows] = COPY * attention.v_proj.weight[rows].T


def _matching(
    attention: torch.nn.Module, asked: tuple[torch.Tensor, ...], noted: torch.Tensor, head: int
) -> None:
    """Head i compares what `asked[i]` notes at the query with what `noted` notes at the key, on
    slow frequencies."""
    slow = [*range(head * 9 // 32, head // 2), *range(head // 2 + head * 9 // 32, head)]
    for i, note in enumerate(asked):
        rows = [i * head + dimension for dimension in slow]
        for projection, read in ((attention.q_proj, note), (attention.k_proj, noted)):
            projection.weight[i * head : (i + 1) * head] = 0.0
            projection.weight[rows] = MATCH * read[: len(slow)]
