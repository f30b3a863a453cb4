"""The arguments of vLLM's engine, its sampling parameters, and reading its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.teacher.base import Completion, Request, Sampling
from datagen.teacher.chat.reasoning import split_reasoning
from datagen.teacher.topk import Topk

DEFAULTS: dict[str, Any] = {
    "enable_prefix_caching": True,
    "disable_log_stats": True,
    "max_logprobs": -1,
}
"""Engine arguments that the user need not give. max_logprobs -1 means no limit: vLLM's own limit is
below what `datagen topk` can ask for."""
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The adapter ranks that vLLM supports."""


def engine_arguments(path: str, adapter: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of vLLM's engine. The arguments that the user gave win.

    Args:
        path: the model.
        adapter: the folder of a LoRA adapter, or None.
        given: the arguments that the user gave.

    Raises:
        UserError: `adapter` is no folder of an adapter.
    """
    import torch

    arguments = {"model": path} | DEFAULTS
    # on CPU a chunk of a request with a seed ends vLLM 0.31 ("CPU Generator does not use offset")
    arguments["enable_chunked_prefill"] = torch.cuda.is_available()
    if adapter:
        arguments |= {"enable_lora": True, "max_lora_rank": lora_rank(Path(adapter))}
    return arguments | dict(given)


def lora_rank(folder: Path) -> int:
    """Return an adapter's rank, rounded up to one that vLLM supports.

    vLLM must know the rank before it loads the adapter.

    Raises:
        UserError: the folder holds no adapter.
    """
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"lora={folder}: no adapter there (adapter_config.json with its rank r)"
        ) from None
    return next((size for size in LORA_RANKS if size >= rank), rank)


def sampling_params(request: Request, room: int, ends: Sequence[int]) -> Any:
    """Return vLLM's settings for a request of at most `room` tokens that stops at the ids `ends`.

    vLLM draws sample i of n with seed + i. So sample `first + i` is the same however the samples
    are split into requests.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    return SamplingParams(
        n=request.n,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop) or None,
        stop_token_ids=list(ends),
        # vLLM needs the text only to find stop strings; else the teacher decodes faster itself
        detokenize=bool(sampling.stop),
        seed=sampling.seed + request.first,
        logprobs=0 if sampling.logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def read_completion(choice: Any, text: str, prompt_tokens: int, sampling: Sampling) -> Completion:
    """Return a choice of vLLM as a completion.

    Args:
        choice: of a finished output.
        text: its text, after the mark with which the prompt opened reasoning, if it did.
        prompt_tokens: billed for this choice.
        sampling: of the request.
    """
    reasoning, answer = split_reasoning(text)
    tokens = len(choice.token_ids)
    mean = choice.cumulative_logprob / tokens if sampling.logprobs and tokens else None
    return Completion(
        text=answer,
        finish_reason=choice.finish_reason or "unknown",
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        mean_logprob=mean,
        reasoning=reasoning,
    )


def read_topk(places: Sequence[Mapping[int, Any]], k: int) -> Topk:
    """Return the topk from vLLM's {token: (logprob, rank)} of each position.

    The tail is 1 minus the sum of the K probabilities, exact to about 1e-7.
    """
    import numpy as np

    # sorted by the log-probability, and equal ones by id, so that the order is always the same
    best = [
        sorted(place.items(), key=lambda pair: (-pair[1].logprob, pair[0]))[:k] for place in places
    ]
    logprobs = np.array([[at.logprob for _, at in row] for row in best], np.float64).reshape(-1, k)
    return Topk(
        ids=np.array([[token for token, _ in row] for row in best], np.int32).reshape(-1, k),
        logprobs=logprobs.astype(np.float16),
        tail=np.maximum(1 - np.exp(logprobs).sum(-1), 0).astype(np.float32),
    )
