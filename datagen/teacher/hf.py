"""Models of transformers, in this process.

Concurrent requests are gathered into batches: near in length, left-padded, one prefill per prompt
shared by its n samples. Every sample draws from a random stream of its own, named by (seed, prompt,
sample), so neither order nor batch decides what is drawn."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, Sampling, TeacherError
from datagen.teacher.decode import Row, decode, score
from datagen.teacher.fingerprint import fingerprint
from datagen.teacher.scoring import Pair, shared_prefix
from datagen.teacher.topk import Tokens, Topk, topk

BATCH_ROWS = 256
"""Sequences generated at once; halved by itself when a GPU runs out of memory."""


@dataclass
class Job:
    """A request, or pairs to score, on the way through a batch."""

    ids: list[int]
    """Prompt tokens of the request."""
    request: Request | None
    pairs: list[tuple[list[int], list[int]]]
    """Tokens of prompts and their continuations."""
    done: asyncio.Future[Any]


class HfTeacher:
    """A causal language model opened by `AutoModelForCausalLM`, from the Hub or from a folder."""

    def __init__(self, path: str, *, name: str, batch_rows: int = BATCH_ROWS):
        self.path, self.name, self.batch_rows = path, name, batch_rows
        self._loading = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None
        self._waiting: list[Job] = []
        self._worker: asyncio.Task[None] | None = None
        self.tokens_asked, self.tokens_computed = 0, 0
        """Of all that was scored: tokens, and those that went through the model, a shared prefix
        counting once."""

    @property
    def identity(self) -> str:
        self._load()
        folder = Path(self.path)
        revision = (
            fingerprint(folder)
            if folder.is_dir()
            else getattr(self._model.config, "_commit_hash", None)
        )
        return f"{self.name}@{revision}"

    @property
    def tokenizer(self) -> Any:
        """The model's own tokenizer, with its chat template."""
        self._load()
        return self._tokenizer

    async def check(self) -> None:
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        with self._loading:  # many tasks may ask for the model at once; it is opened once
            if self._model is None:
                self._open()

    def _open(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        if (self.path.startswith(("/", ".")) or "\\" in self.path) and not Path(self.path).is_dir():
            raise UserError(f"no model at {self.path}: the folder does not exist")
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(self.path, dtype=dtype).to(device).eval()
        except (OSError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise UserError(f"cannot open the model {self.path}: {reason}") from None
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._tokenizer, self._model = tokenizer, model

    async def complete(self, request: Request) -> list[Completion]:
        ids = await self._encode(request.prompt)
        if len(ids) >= self.context:
            raise TeacherError(
                f"the prompt has {len(ids)} tokens, the context of {self.name} is {self.context}"
            )
        return await self._submit(ids, request, [])

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Log-probability in nats of each token of the continuation, given the prompt."""
        [scores] = await self.score_many([(prompt, continuation)])
        return scores

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """What `score` says of each (prompt, continuation); the tokens with which all of them begin
        are computed once.

        The pairs are a batch of their own, so that their numbers depend on nothing else that is
        asked at the time."""
        encoded = [
            (await self._encode(prompt), self._tokens(continuation))
            for prompt, continuation in pairs
        ]
        longest = max((len(ids) + len(answer) for ids, answer in encoded), default=0)
        if longest > self.context:
            raise TeacherError(
                f"prompt and continuation have {longest} tokens, the context is {self.context}"
            )
        asked = [pair for pair in encoded if pair[1]]
        scores = iter(await self._submit([], None, asked) if asked else [])
        return [next(scores) if answer else [] for _, answer in encoded]

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """The K most probable tokens in the place of each of the completions' tokens."""
        await self.check()
        return await asyncio.to_thread(topk, self, pairs, k)

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    @property
    def context(self) -> int:
        return int(getattr(self._model.config, "max_position_embeddings", 1 << 30))

    async def _encode(self, prompt: str | Messages) -> list[int]:
        await self.check()
        if isinstance(prompt, str):
            return list(self._tokenizer(prompt).input_ids)
        if not self._tokenizer.chat_template:
            raise UserError(f"{self.name} has no chat template: ask it with --prompt_style plain")
        messages = [{"role": role, "content": content} for role, content in prompt]
        text = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _tokens(self, continuation: str) -> list[int]:
        return list(self._tokenizer(continuation, add_special_tokens=False).input_ids)

    async def _submit(
        self, ids: list[int], request: Request | None, pairs: list[tuple[list[int], list[int]]]
    ) -> Any:
        job = Job(ids, request, pairs, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await job.done

    async def _work(self) -> None:
        """Batch after batch, until nothing waits; in a thread, so that new requests keep
        arriving."""
        while self._waiting:
            await asyncio.sleep(
                0.005
            )  # let the tasks that the last batch woke ask their next question
            batch = self._take()
            try:
                results = await asyncio.to_thread(self._answer, batch)
            except Exception as error:
                if type(error).__name__ == "OutOfMemoryError" and self._halve(batch):
                    self._waiting = batch + self._waiting
                    continue
                for job in batch:
                    if not job.done.done():
                        job.done.set_exception(TeacherError(f"{type(error).__name__}: {error}"))
                continue
            for job, result in zip(batch, results, strict=True):
                if not job.done.done():
                    job.done.set_result(result)

    def _halve(self, batch: list[Job]) -> bool:
        """Fewer rows at once from now on; whether that can help this batch."""
        rows = min(sum(map(width, batch)), self.batch_rows)
        if rows < 2 or (len(batch) == 1 and batch[0].request):
            return False
        self.batch_rows = rows // 2
        return True

    def _take(self) -> list[Job]:
        """The jobs that go with the first one, nearest in length, as many as fit a batch. Pairs to
        score go alone."""
        first = self._waiting[0]
        if first.request is None:
            return [self._waiting.pop(0)]
        alike = [job for job in self._waiting if kind(job) == kind(first)]
        alike.sort(key=lambda job: abs(len(job.ids) - len(first.ids)))
        batch, rows = [first], width(first)
        for job in alike:
            if job is not first and rows + width(job) <= self.batch_rows:
                batch.append(job)
                rows += width(job)
        taken = {id(job) for job in batch}
        self._waiting = [job for job in self._waiting if id(job) not in taken]
        return batch

    def _answer(self, jobs: list[Job]) -> list[Any]:
        return list(self._generate(jobs)) if jobs[0].request else [self._score(jobs[0].pairs)]

    def _generate(self, jobs: list[Job]) -> list[list[Completion]]:
        import torch

        rows = [
            Row(place, stream(job.request, job.request.first + k, self._room(job)))
            for place, job in enumerate(jobs)
            if job.request
            for k in range(job.request.n)
        ]
        sampling = jobs[0].request.sampling if jobs[0].request else Sampling()
        ids, mask = self._pad([job.ids for job in jobs])
        with torch.inference_mode():
            decode(
                self._model,
                ids,
                mask,
                rows,
                sampling=sampling,
                ends=self._ends,
                stopped=self._stopped(sampling.stop),
            )
        answers: list[list[Completion]] = [[] for _ in jobs]
        for row in rows:
            cost = 0 if answers[row.prompt] else len(jobs[row.prompt].ids)
            answers[row.prompt].append(self._completion(row, sampling, cost))
        return answers

    def _room(self, job: Job) -> int:
        """How many tokens a sample may have."""
        most = job.request.sampling.max_tokens if job.request else 0
        return min(most, self.context - len(job.ids))

    @property
    def _ends(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        return {*(ends if isinstance(ends, list) else [ends]), self._tokenizer.eos_token_id} - {
            None
        }

    def _stopped(self, stop: tuple[str, ...]) -> Callable[[list[int]], bool]:
        """Whether a stop string stands in a text, looked for in its last tokens: each holds at
        least one byte."""
        if not stop:
            return lambda tokens: False
        reach = max(len(s.encode()) for s in stop) + 1
        return lambda tokens: any(s in self._tokenizer.decode(tokens[-reach:]) for s in stop)

    def _completion(self, row: Row, sampling: Sampling, prompt_tokens: int) -> Completion:
        text = self._tokenizer.decode(row.tokens, skip_special_tokens=True)
        cuts = [at for at in (text.find(s) for s in sampling.stop) if at >= 0]
        return Completion(
            text=text[: min(cuts)] if cuts else text,
            finish_reason="stop" if row.ended else "length",
            tokens=len(row.tokens),
            prompt_tokens=prompt_tokens,
            mean_logprob=sum(row.logprobs) / len(row.logprobs) if row.logprobs else None,
        )

    def _score(self, pairs: list[tuple[list[int], list[int]]]) -> list[list[float]]:
        """In batches of near length, each with its shared prefix."""
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
        scores: list[list[float]] = [[] for _ in pairs]
        for first in range(0, len(order), self.batch_rows):
            places = order[first : first + self.batch_rows]
            for place, found in zip(
                places, self._score_batch([pairs[i] for i in places]), strict=True
            ):
                scores[place] = found
        return scores

    def _score_batch(self, pairs: list[tuple[list[int], list[int]]]) -> list[list[float]]:
        import torch

        # under a sliding window, the padding between a prefix and its rows would count as distance
        sliding = getattr(self._model.config, "sliding_window", None) is not None
        prefix = [] if sliding else shared_prefix([ids[:-1] for ids, _ in pairs])
        ids, mask = self._pad([(ids + answer)[len(prefix) :] for ids, answer in pairs])
        longest = max(len(answer) for _, answer in pairs)
        with torch.inference_mode():
            logprobs_BT = score(self._model, ids, mask, longest, prefix=prefix)
        self.tokens_asked += sum(len(ids) + len(answer) for ids, answer in pairs)
        self.tokens_computed += sum(
            len(ids) + len(answer) - len(prefix) for ids, answer in pairs
        ) + len(prefix)
        return [
            row[-len(answer) :]
            for row, (_, answer) in zip(logprobs_BT.tolist(), pairs, strict=True)
        ]

    def _pad(self, sequences: list[list[int]]) -> tuple[Any, Any]:
        """Left-padded ids and attention mask, both [batch, longest]."""
        import torch

        longest = max(map(len, sequences))
        pad = self._tokenizer.pad_token_id or 0
        ids = [[pad] * (longest - len(s)) + s for s in sequences]
        mask = [[0] * (longest - len(s)) + [1] * len(s) for s in sequences]
        device = self._model.device
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def stream(request: Request, sample: int, length: int) -> list[float]:
    """The uniform numbers of one sample: a function of seed, prompt and sample index alone."""
    import numpy as np

    name = f"{request.sampling.seed}:{sample}:{request.prompt}"
    key = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=key)).random(length).tolist()


def kind(job: Job) -> Any:
    """What one batch must share: the task and its sampling settings, except the seed."""
    return replace(job.request.sampling, seed=0) if job.request else None


def width(job: Job) -> int:
    return job.request.n if job.request else len(job.pairs)
