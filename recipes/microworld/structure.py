"""Begin training with attention heads that look back and match.

An induction head (arXiv 2209.11895) copies what followed the same key before. It takes long to form
from random weights, so training begins with one.

Layer 0 has heads that attend exactly 1, 2 and 3 positions back. Biases of queries and keys do this,
together with the rotary positions. Each head writes what it sees into a subspace of its own.

Layer 1 has heads that compare what stands one position back (or three, if a chat turn ends between)
with what stands two positions back. So the query `x ->` finds the `y` of an earlier `x -> y`.
Training changes all of these weights like any others.
"""

from __future__ import annotations

import torch
from transformers import LlamaForCausalLM

OFFSETS = (1, 2, 3)
"""How many positions each head of layer 0 looks back."""
SHARPNESS = 6.0
"""Query and key biases on the fast rotary frequencies. With this value a head begins with 0.92 to
1.0 of its attention at its offset."""
NOTE = 0.35
"""The scale of what a head of layer 0 writes. A larger one would drown the token's embedding."""
MATCH = 1.4
"""The scale of the queries and keys that compare."""
COPY = 0.7
"""The scale of the outputs that copy."""
QUIET = 0.05
"""The scale of all other outputs, so that they do not disturb these heads at first."""


@torch.no_grad()
def look_back(llama: LlamaForCausalLM) -> None:
    """Set the heads of a new model with at least two layers, four heads and attention biases."""
    layers = llama.model.layers
    width = llama.config.hidden_size
    head = width // llama.config.num_attention_heads
    for layer in layers:
        layer.self_attn.o_proj.weight.mul_(QUIET)
        layer.mlp.down_proj.weight.mul_(QUIET)

    # Orthogonal subspaces: what one head writes does not disturb what another one does.
    notes = torch.linalg.qr(torch.randn(width, head * len(OFFSETS)))[0].T.split(head)
    _offsets(layers[0].self_attn, notes, head, float(llama.config.rope_parameters["rope_theta"]))
    for layer in layers[1:]:
        _copying(layer.self_attn, head)
    _matching(layers[1].self_attn, (notes[0], notes[2]), notes[1], head)


def _offsets(
    attention: torch.nn.Module, notes: tuple[torch.Tensor, ...], head: int, theta: float
) -> None:
    """Let head i attend OFFSETS[i] positions back.

    Its query bias is its key bias, rotated back by as many positions.
    """
    half = head // 2
    fast = head // 4
    frequencies = theta ** (-torch.arange(half) * 2 / head)
    value = torch.linalg.qr(torch.randn(attention.v_proj.in_features, head))[0].T
    for i, (back, note) in enumerate(zip(OFFSETS, notes, strict=True)):
        rows = slice(i * head, (i + 1) * head)
        # Slow frequencies cannot tell neighbouring positions apart.
        strength = torch.zeros(half)
        strength[:fast] = SHARPNESS
        turn = -back * frequencies
        attention.k_proj.bias[rows] = torch.cat((strength, torch.zeros(half)))
        attention.q_proj.bias[rows] = torch.cat((strength * turn.cos(), strength * turn.sin()))
        attention.v_proj.weight[rows] = NOTE * value
        attention.o_proj.weight[:, rows] = NOTE * note.T


def _copying(attention: torch.nn.Module, head: int) -> None:
    """Let the first two heads write what they read."""
    for i in range(2):
        rows = slice(i * head, (i + 1) * head)
        attention.o_proj.weight[:, rows] = COPY * attention.v_proj.weight[rows].T


def _matching(
    attention: torch.nn.Module, asked: tuple[torch.Tensor, ...], noted: torch.Tensor, head: int
) -> None:
    """Let head i compare subspace `asked[i]` at the query with subspace `noted` at the key."""
    # On slow frequencies the distance between query and key hardly matters.
    slow = [*range(head * 9 // 32, head // 2), *range(head // 2 + head * 9 // 32, head)]
    for i, note in enumerate(asked):
        rows = [i * head + dimension for dimension in slow]
        for projection, read in ((attention.q_proj, note), (attention.k_proj, noted)):
            projection.weight[i * head : (i + 1) * head] = 0.0
            projection.weight[rows] = MATCH * read[: len(slow)]
