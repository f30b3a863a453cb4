"""Models of transformers, in this process.

Concurrent requests are gathered into batches of similar length. They are left-padded, and the n
samples of a prompt share one prefill. Every sample draws from its own random stream, which is
seeded by (seed, prompt, sample). So neither the order of arrival nor the batch changes what is
drawn, apart from rounding: the batch changes the last digits of a probability, and a draw that
falls there comes out otherwise. Between two quickstarts on a busy machine that was one chain of
3,200.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from datagen.errors import ContextExceeded
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.fingerprint import revision_of
from datagen.teacher.local.batches import Batcher
from datagen.teacher.local.model import CausalModel, open_model, release_memory
from datagen.teacher.local.tokenizing import open_tokenizer, prompt_tokens, tokens_after
from datagen.teacher.local.topk import topk
from datagen.teacher.spec import ENGINES
from datagen.teacher.topk import Tokens, Topk

BATCH_ROWS = 256
"""The most sequences that are generated at once. On a CPU more are no faster. If a GPU cannot hold
them, the number is halved."""


class HfTeacher:
    """A causal language model that `AutoModelForCausalLM` opens, from the Hub or from a folder."""

    capabilities = ENGINES["hf"]

    def __init__(
        self,
        path: str,
        *,
        name: str,
        batch_rows: int = BATCH_ROWS,
        chat: ChatOptions | None = None,
    ):
        self.path = path
        self.name = name
        self._chat = chat or ChatOptions()
        self._variables: dict[str, Any] = {}
        self._batch_rows = batch_rows
        self._loading = threading.RLock()
        self._tokenizer: Any = None
        self._model: CausalModel | None = None
        self._batcher: Batcher | None = None

    async def identify(self) -> str:
        revision = await asyncio.to_thread(revision_of, self.path)
        return f"{self.name}{self._chat.suffix}@{revision}"

    def load_tokenizer(self) -> Any:
        """Return the model's own tokenizer, with its chat template. Loads no weights."""
        with self._loading:
            if self._tokenizer is None:
                self._tokenizer = open_tokenizer(self.path)
            return self._tokenizer

    async def open(self) -> None:
        if self._model is None:
            await asyncio.to_thread(self._load)

    def _load(self) -> None:
        # many tasks may ask for the model at once, and it is opened once
        with self._loading:
            if self._model is None:
                self._open()

    def _open(self) -> None:
        tokenizer = self.load_tokenizer()
        self._variables = self._chat.for_tokenizer(tokenizer, self.name)
        self._model = open_model(self.path, tokenizer, batch_rows=self._batch_rows)
        self._batcher = Batcher(self._model)

    @property
    def model(self) -> CausalModel:
        """The opened model."""
        assert self._model is not None, "open() comes first"
        return self._model

    @property
    def context(self) -> int:
        """The most tokens of prompt and completion together. Known once the teacher is open."""
        return self.model.context

    async def complete(self, request: Request) -> list[Completion]:
        batcher = await self._opened()
        ids = prompt_tokens(self._tokenizer, request.prompt, self.name, self._variables)
        if len(ids) >= self.context:
            raise ContextExceeded(
                f"the prompt has {len(ids)} tokens, the context of {self.name} is {self.context}"
            )
        return list(await batcher.submit(ids, request))

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        [scores] = await self.score_many([(prompt, continuation)])
        return scores

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """Return what `score` returns for each pair.

        The pairs are a batch of their own, so that their numbers depend on no other request. Tokens
        with which all pairs begin are computed once.
        """
        batcher = await self._opened()
        asked = [prompt_tokens(self._tokenizer, p, self.name, self._variables) for p, _ in pairs]
        encoded = [
            (ids, tokens_after(self._tokenizer, ids, continuation))
            for ids, (_, continuation) in zip(asked, pairs, strict=True)
        ]
        longest = max((len(ids) + len(answer) for ids, answer in encoded), default=0)
        if longest > self.context:
            raise ContextExceeded(
                f"prompt and continuation have {longest} tokens, the context is {self.context}"
            )
        scored = [pair for pair in encoded if pair[1]]
        scores = iter(await batcher.submit([], pairs=scored) if scored else [])
        return [next(scores) if answer else [] for _, answer in encoded]

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """Return the K most probable tokens at each position of each completion."""
        await self.open()
        return await asyncio.to_thread(topk, self.model, pairs, k)

    async def close(self) -> None:
        """Stop after the current batch, and release the weights."""
        if self._batcher is not None:
            self._batcher.close()
            self._batcher = None
            self._model = None
            await asyncio.to_thread(release_memory)

    async def _opened(self) -> Batcher:
        await self.open()
        assert self._batcher is not None
        return self._batcher
