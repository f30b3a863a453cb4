"""Sampling from a causal language model in batches.

Each prompt has one prefill, and each sample has its own random stream. This is our own loop instead
of `model.generate`, for two reasons. Every row draws from its own stream, so its text depends
neither on the batch nor on the order. And rows that have ended leave the batch
(`tests/bench/decode.py` measures what that saves). Shape suffixes: P prompts, B rows (samples), T
steps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.teacher.base import Sampling

SHRINK = 0.8
"""Ended rows leave the batch once the live rows are fewer than this share of it. They do not leave
one by one, because copying the cache costs time."""


@dataclass
class Row:
    """One sample while it is being generated."""

    prompt: int
    """The index of its prompt."""
    uniforms: Sequence[float]
    """Random numbers in [0, 1), one a step, as many as tokens may be drawn."""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Nats at temperature 1, one a token."""
    ended: bool = False
    """Whether an end token or a stop string came. If not, the text was cut off."""


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
    """Extend every row until an end token, a stop string, or the end of its uniforms.

    Args:
        model: a causal language model of transformers.
        ids_PT: the prompts, left-padded.
        mask_PT: 1 for real tokens, 0 for padding.
        rows: the samples. They are extended in place. An end token is kept as a row's last token.
        sampling: temperature and top_p.
        ends: the end tokens.
        stopped: says whether a row's tokens contain a stop string.
    """
    import torch

    live = list(rows)
    owner_B = torch.tensor([row.prompt for row in rows], device=ids_PT.device)
    cache, logits_BV = prefill(model, ids_PT, mask_PT, owner_B)
    mask_BT = mask_PT[owner_B]
    step = 0

    while True:
        # rows that have ended stay in the batch for a while: their draws are ignored
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
    """Return the cache of the prompts, and the logits of the first step [B, V].

    Each prompt is computed once. Its cache is repeated for its samples.
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
    """Return the position of every token among the real tokens of its row."""
    return (mask_BT.cumsum(-1) - 1).clamp(min=0)


def draw(logits_BV: Any, uniform_B: Any, sampling: Sampling) -> tuple[Any, Any]:
    """Return the next tokens [B], and their log-probabilities [B] in nats at temperature 1.

    The tokens are drawn by the inverse CDF of the uniform numbers.
    """
    # at temperature 1, whatever the temperature of the sampling
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
        # in double precision, because a float32 sum over the vocabulary loses small
        # probabilities; times the last sum, because a nucleus adds up to less than 1
        target_B = uniform_B * mass_BV[:, -1]
        token_B = (mass_BV <= target_B[:, None]).sum(-1).clamp(max=mass_BV.shape[-1] - 1)
    return token_B, logprobs_BV.gather(-1, token_B[:, None])[:, 0]


def nucleus(probs_BV: Any, top_p: float) -> Any:
    """Return the probabilities with all but the most probable tokens set to 0.

    The tokens that stay are the fewest whose mass reaches top_p.

    Source: arXiv 1904.09751, section 3.1.
    """
    sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    return probs_BV.scatter(-1, order_BV, sorted_BV.masked_fill(before_BV >= top_p, 0.0))


def score(
    model: Any, ids_BT: Any, mask_BT: Any, longest: int, *, prefix: Sequence[int] = ()
) -> Any:
    """Return the log-probability in nats of each of the last `longest` tokens, [B, longest].

    Args:
        model: a causal language model of transformers.
        ids_BT: the tokens, left-padded.
        mask_BT: 1 for real tokens, 0 for padding.
        longest: how many tokens of each row to score.
        prefix: tokens before every row. They are computed once, and their cache is repeated.
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
