"""What a teacher thinks of given tokens: its K most probable ones in the place of each.

`await teacher.topk(pairs, k)` is the seam. Engines that have it: `micro`, `hf:` and `vllm:`, which
also have a `tokenizer` and, once `check` was awaited, a `context`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from datagen.errors import UserError
from datagen.teacher.base import Teacher

if TYPE_CHECKING:
    from numpy import ndarray

    from datagen.teacher.hf import HfTeacher

Tokens: TypeAlias = tuple[list[int], list[int]]
"""Tokens of a prompt and of its completion, at most the teacher's context together."""

LOGITS_BYTES, LOGITS_BYTES_CPU = 1 << 28, 1 << 24
"""Most bytes of the float32 logits of a batch; on a CPU what a cache holds is faster than what
memory holds."""

LEAST = -1e4
"""Nats of a token that a model rules out: infinity has no difference from itself."""


@dataclass(frozen=True)
class Topk:
    """Of a completion's n tokens, in their order. Ids of a place differ from one another, most
    probable first."""

    ids: ndarray
    """(n, K) int32, all of them known to the tokenizer."""
    logprobs: ndarray
    """(n, K) float16: nats under the softmax of the whole vocabulary, at temperature 1."""
    tail: ndarray
    """(n,) float32: the probability of all other tokens together."""

    def __getitem__(self, places: slice) -> Topk:
        """Of some of the places."""
        return Topk(self.ids[places], self.logprobs[places], self.tail[places])


class TopkTeacher(Teacher, Protocol):
    """A teacher that says more than its choice."""

    @property
    def tokenizer(self) -> Any: ...

    @property
    def context(self) -> int: ...

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """Of each pair's completion. The engine batches the pairs; what it says depends on them and
        nothing else."""
        ...


def check_topk(teacher: Any, k: int) -> None:
    """Raises UserError where the engine cannot, or has fewer than k tokens."""
    if not hasattr(teacher, "topk"):
        raise UserError(
            f"{teacher.name} does not give the probabilities of given tokens: micro, hf: and vllm: do"
        )
    if not 1 <= k <= len(teacher.tokenizer):
        raise UserError(
            f"--teacher-topk {k}: from 1 to {len(teacher.tokenizer)}, the tokens of {teacher.name}"
        )


def topk(teacher: HfTeacher, pairs: Sequence[Tokens], k: int) -> list[Topk]:
    """`TopkTeacher.topk` of a model of transformers: batches of near length, halved where a GPU's
    memory ends."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    found: dict[int, Topk] = {}
    left = [i for i in order if pairs[i][1]]
    while left:
        places = left[: rows_at_once(teacher, [len(pairs[i][1]) for i in left])]
        try:
            found.update(
                zip(places, topk_batch(teacher, [pairs[i] for i in places], k), strict=True)
            )
        except Exception as error:
            if type(error).__name__ != "OutOfMemoryError" or len(places) == 1:
                raise
            teacher.batch_rows = len(places) // 2
            continue
        left = left[len(places) :]
    return [found.get(i) or nothing(k) for i in range(len(pairs))]


def rows_at_once(teacher: HfTeacher, lengths: list[int]) -> int:
    """How many of the first rows make a batch whose logits are not too large."""
    position = 4 * int(teacher._model.config.get_text_config().vocab_size)
    most = LOGITS_BYTES_CPU if teacher._model.device.type == "cpu" else LOGITS_BYTES
    rows, longest = 0, 0
    for length in lengths[: teacher.batch_rows]:
        longest = max(longest, length)
        if rows and (rows + 1) * longest * position > most:
            break
        rows += 1
    return rows


def topk_batch(teacher: HfTeacher, pairs: Sequence[Tokens], k: int) -> Iterator[Topk]:
    import torch

    ids, mask = teacher._pad([prompt + answer for prompt, answer in pairs])
    longest = max(len(answer) for _, answer in pairs)
    with torch.inference_mode():
        values = top_logprobs(
            teacher._model, ids, mask, longest, k, vocabulary=len(teacher.tokenizer)
        )
    for row, (_, answer) in enumerate(pairs):
        yield Topk(*(value[row, -len(answer) :].cpu().numpy() for value in values))


def top_logprobs(
    model: Any, ids_BT: Any, mask_BT: Any, longest: int, k: int, *, vocabulary: int
) -> tuple[Any, ...]:
    """Of each of the last `longest` places: ids [B, longest, K] of the most probable tokens, their
    log-probabilities, and the rest's probability [B, longest]. Rows are left-padded.

    Ids from `vocabulary` on pad the model's head: no token, and part of the rest.
    """
    from datagen.teacher.decode import positions

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


def nothing(k: int) -> Topk:
    import numpy as np

    return Topk(np.empty((0, k), np.int32), np.empty((0, k), np.float16), np.empty(0, np.float32))
