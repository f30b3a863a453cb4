"""`TopkTeacher.topk` of a model of transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from datagen.teacher.topk import Tokens, Topk, nothing

if TYPE_CHECKING:
    from datagen.teacher.local.model import CausalModel

LOGITS_BYTES = 1 << 28
"""Most bytes of the float32 logits of a batch on a GPU: large enough to keep it busy, small beside
its memory."""
LOGITS_BYTES_CPU = 1 << 24
"""The same on a CPU, where logits that stay in the cache are faster than those in memory."""

LEAST = -1e4
"""Nats of a token that a model rules out. Infinity minus itself would be no number."""


def topk(model: CausalModel, pairs: Sequence[Tokens], k: int) -> list[Topk]:
    """The K most probable tokens in the place of each completion token, in batches of near length.

    A batch is halved when the GPU's memory is too small for it.
    """
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    found: dict[int, Topk] = {}
    left = [i for i in order if pairs[i][1]]
    while left:
        places = left[: rows_at_once(model, [len(pairs[i][1]) for i in left])]
        try:
            batch = topk_batch(model, [pairs[i] for i in places], k)
            found.update(zip(places, batch, strict=True))
        except Exception as error:
            if type(error).__name__ != "OutOfMemoryError" or len(places) == 1:
                raise
            model.batch_rows = len(places) // 2
            continue
        left = left[len(places) :]
    return [found.get(i) or nothing(k) for i in range(len(pairs))]


def rows_at_once(model: CausalModel, lengths: list[int]) -> int:
    """How many of the first rows make a batch whose logits are not too large."""
    position = 4 * int(model.network.config.get_text_config().vocab_size)
    most = LOGITS_BYTES_CPU if model.network.device.type == "cpu" else LOGITS_BYTES
    rows = longest = 0
    for length in lengths[: model.batch_rows]:
        longest = max(longest, length)
        if rows and (rows + 1) * longest * position > most:
            break
        rows += 1
    return rows


def topk_batch(model: CausalModel, pairs: Sequence[Tokens], k: int) -> Iterator[Topk]:
    import torch

    ids, mask = model.pad([prompt + answer for prompt, answer in pairs])
    longest = max(len(answer) for _, answer in pairs)
    vocabulary = len(model.tokenizer)
    with torch.inference_mode():
        values = top_logprobs(model.network, ids, mask, longest, k, vocabulary=vocabulary)
    for row, (_, answer) in enumerate(pairs):
        yield Topk(*(value[row, -len(answer) :].cpu().numpy() for value in values))


def top_logprobs(
    model: Any, ids_BT: Any, mask_BT: Any, longest: int, k: int, *, vocabulary: int
) -> tuple[Any, ...]:
    """The K most probable tokens of each of the last `longest` places of left-padded rows.

    Args:
        ids_BT: Tokens, [batch, time].
        mask_BT: 1 for real tokens, 0 for padding.
        vocabulary: Number of tokens that the tokenizer knows. Ids from here on only pad the
            model's head; they count as part of the rest.

    Returns:
        Ids [B, longest, K], their log-probabilities in nats, and the probability of all other
        tokens [B, longest].
    """
    from datagen.teacher.local.decode import positions

    logits_BTV = model(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=positions(mask_BT),
        logits_to_keep=longest + 1,
        use_cache=False,
    ).logits[:, :-1]
    logprobs_BTV = logits_BTV.float().log_softmax(-1)
    top = logprobs_BTV[..., :vocabulary].topk(k, dim=-1)
    rest_BT = logprobs_BTV.scatter_(-1, top.indices, float("-inf")).logsumexp(-1).exp()
    return top.indices.int(), top.values.clamp(min=LEAST).half(), rest_BT
