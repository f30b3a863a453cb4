"""Sampling from a causal language model, a batch at a time: one prefill per prompt, one random
stream per sample.

This is a loop of our own instead of `model.generate`, for two reasons. Every row draws from its own
stream, so its text depends neither on the batch nor on the order. And rows that have ended leave
the batch (`tests/bench/decode.py` measures what that saves). Shape suffixes: P prompts, B rows
(samples), T steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.teacher.base import Sampling

SHRINK = 0.8
"""The batch is cut down to its live rows once they are fewer than this share of it. It is not cut
after every row, because copying the cache costs time."""


@dataclass
class Row:
    """One sample while it grows.

    `uniforms`: numbers in [0, 1), one a step, as many as tokens may be drawn.
    """

    prompt: int
    uniforms: Sequence[float]
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Nats at temperature 1, one a token."""
    ended: bool = False
    """Whether an end token or a stop string came; else the text was cut off."""


def decode(
    model: Any,
    ids_PT: Any,
    mask_PT: Any,
    rows: Sequence[Row],
    *,
    sampling: Sampling,
    ends: set[int],
    stopped: Callable[[list[int]], bool],
) -> None:
    """Grow every row until an end token, a stop, or the end of its uniforms.

    Prompts are left-padded.

    `stopped` says whether a row's tokens hold a stop string. An end token is kept as the row's
    last.
    """
    import torch

    live = list(rows)
    owner_B = torch.tensor([row.prompt for row in rows], device=ids_PT.device)
    cache, logits_BV = prefill(model, ids_PT, mask_PT, owner_B)
    mask_BT = mask_PT[owner_B]
    step = 0
    while True:
        uniform_B = torch.tensor(
            [row.uniforms[step] if step < len(row.uniforms) else 0.0 for row in live]
        )
        token_B, logprob_B = draw(logits_BV, uniform_B.to(logits_BV.device), sampling)
        for row, token, logprob in zip(live, token_B.tolist(), logprob_B.tolist(), strict=True):
            if not row.ended and step < len(row.uniforms):
                row.tokens.append(token)
                row.logprobs.append(logprob)
                row.ended = token in ends or stopped(row.tokens)
        step += 1
        going = [i for i, row in enumerate(live) if not row.ended and step < len(row.uniforms)]
        if not going:
            return
        if len(going) < SHRINK * len(live):
            keep_B = torch.tensor(going, device=ids_PT.device)
            live = [live[i] for i in going]
            token_B = token_B[keep_B]
            mask_BT = mask_BT[keep_B]
            cache.batch_select_indices(keep_B)
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(live), 1)], dim=1)
        logits_BV = model(
            input_ids=token_B[:, None],
            attention_mask=mask_BT,
            position_ids=mask_BT.sum(-1, keepdim=True) - 1,
            past_key_values=cache,
        ).logits[:, -1]


def prefill(model: Any, ids_PT: Any, mask_PT: Any, owner_B: Any) -> tuple[Any, Any]:
    """The prompts' cache, computed once and repeated for their samples, and the logits of the first
    step [B, V].
    """
    output = model(
        input_ids=ids_PT,
        attention_mask=mask_PT,
        position_ids=positions(mask_PT),
        use_cache=True,
        logits_to_keep=1,
    )
    output.past_key_values.batch_select_indices(owner_B)
    return output.past_key_values, output.logits[:, -1][owner_B]


def positions(mask_BT: Any) -> Any:
    """Position of every token among the real ones of its row."""
    return (mask_BT.cumsum(-1) - 1).clamp(min=0)


def draw(logits_BV: Any, uniform_B: Any, sampling: Sampling) -> tuple[Any, Any]:
    """Tokens [B] by inverse CDF of the uniform numbers, and their log-probabilities [B] in nats at
    temperature 1.
    """
    logprobs_BV = logits_BV.float().log_softmax(-1)
    if sampling.temperature == 0:
        token_B = logprobs_BV.argmax(-1)
    else:
        probs_BV = (logprobs_BV / sampling.temperature).softmax(-1)
        mass_BV = (
            (nucleus(probs_BV, sampling.top_p) if sampling.top_p < 1 else probs_BV)
            .double()
            .cumsum(-1)
        )
        target_B = uniform_B * mass_BV[:, -1]
        token_B = (mass_BV <= target_B[:, None]).sum(-1).clamp(max=mass_BV.shape[-1] - 1)
    return token_B, logprobs_BV.gather(-1, token_B[:, None])[:, 0]


def nucleus(probs_BV: Any, top_p: float) -> Any:
    """Zero all but the fewest most probable tokens whose mass reaches top_p (arXiv 1904.09751,
    section 3.1).
    """
    sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    return probs_BV.scatter(-1, order_BV, sorted_BV.masked_fill(before_BV >= top_p, 0.0))


def score(
    model: Any, ids_BT: Any, mask_BT: Any, longest: int, *, prefix: Sequence[int] = ()
) -> Any:
    """Log-probability in nats of each of the last `longest` tokens, [B, longest].

    Rows are left-padded.

    `prefix`: tokens that stand before every row; they are computed once, and their cache is
    repeated for the rows.
    """
    import torch

    cache = None
    mask_BS = mask_BT
    if prefix:
        prefix_1P = ids_BT.new_tensor([list(prefix)])
        cache = model(input_ids=prefix_1P, use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(len(ids_BT))
        mask_BS = torch.cat([mask_BT.new_ones(len(ids_BT), len(prefix)), mask_BT], dim=1)
    logits_BTV = model(
        input_ids=ids_BT,
        attention_mask=mask_BS,
        position_ids=positions(mask_BS)[:, len(prefix) :],
        past_key_values=cache,
        logits_to_keep=longest + 1,
    ).logits[:, :-1]
    return logits_BTV.float().log_softmax(-1).gather(-1, ids_BT[:, -longest:, None])[..., 0]
