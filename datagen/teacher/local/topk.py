"""`TopkTeacher.topk` for models of transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from datagen.teacher.topk import Tokens, Topk, empty_topk

if TYPE_CHECKING:
    from datagen.teacher.local.model import CausalModel

LOGITS_BYTES = 1 << 28
"""Most bytes of the float32 logits of a batch on a GPU. This keeps a GPU busy, and is small
compared with its memory."""
LOGITS_BYTES_CPU = 1 << 24
"""The same on a CPU. Logits that fit into its cache are computed faster."""

MIN_LOGPROB = -1e4
"""Nats of a token that a model rules out. Its log-probability is minus infinity, and infinity minus
itself is no number."""


def topk(model: CausalModel, pairs: Sequence[Tokens], k: int) -> list[Topk]:
    """Return the K most probable tokens at each position of each completion.

    The pairs are computed in batches of similar length. If a GPU runs out of memory, the batch is
    halved.
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
            # the smaller size also counts for later batches, which would fail in the same way
            model.batch_rows = len(places) // 2
            continue
        left = left[len(places) :]
    return [found.get(i) or empty_topk(k) for i in range(len(pairs))]


def rows_at_once(model: CausalModel, lengths: list[int]) -> int:
    """Return how many of the first rows fit into one batch, by the size of their logits.

    Args:
        model: the model.
        lengths: the number of completion tokens of each row.
    """
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
    """Yield the topk of each pair of one batch."""
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
    """Return the K most probable tokens at each of the last positions of left-padded rows.

    Args:
        model: a causal language model of transformers.
        ids_BT: the tokens, [batch, time].
        mask_BT: 1 for real tokens, 0 for padding.
        longest: how many positions at the end of each row.
        k: how many tokens for each position.
        vocabulary: the number of tokens that the tokenizer knows. Higher ids only pad the model's
            output layer. They count as part of the rest.

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
    return top.indices.int(), top.values.clamp(min=MIN_LOGPROB).half(), rest_BT
