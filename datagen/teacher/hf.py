"""Models of transformers, in this process.

Concurrent requests are gathered into batches: near in length, left-padded, one prefill per prompt shared by its n
samples. Every sample draws from a random stream of its own, named by (seed, prompt, sample), so neither order nor batch
decides what is drawn.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, Sampling, TeacherError

BATCH_ROWS = 256
"""Sequences generated at once; halved by itself when a GPU runs out of memory."""


@dataclass
class Job:
    """A request or a scoring task on its way through a batch."""

    ids: list[int]
    """Prompt tokens."""
    request: Request | None
    continuation: list[int]
    done: asyncio.Future[Any]


class HfTeacher:
    """A causal language model opened by `AutoModelForCausalLM`, from the Hub or from a folder."""

    def __init__(self, path: str, *, name: str, batch_rows: int = BATCH_ROWS):
        self.path, self.name, self.batch_rows = path, name, batch_rows
        self._model: Any = None
        self._tokenizer: Any = None
        self._waiting: list[Job] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def identity(self) -> str:
        self._load()
        folder = Path(self.path)
        revision = fingerprint(folder) if folder.is_dir() else getattr(self._model.config, "_commit_hash", None)
        return f"{self.name}@{revision}"

    async def check(self) -> None:
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        if (self.path.startswith(("/", ".")) or "\\" in self.path) and not Path(self.path).is_dir():
            raise UserError(f"no model at {self.path}: the folder does not exist")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(self.path, padding_side="left")
            self._model = AutoModelForCausalLM.from_pretrained(self.path, dtype=dtype).to(device).eval()
        except (OSError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise UserError(f"cannot open the model {self.path}: {reason}") from None
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token

    async def complete(self, request: Request) -> list[Completion]:
        ids = await self._encode(request.prompt)
        if len(ids) >= self.context:
            raise TeacherError(f"the prompt has {len(ids)} tokens, the context of {self.name} is {self.context}")
        return await self._submit(ids, request, [])

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Log-probability in nats of each token of the continuation, given the prompt."""
        ids = await self._encode(prompt)
        answer: list[int] = self._tokenizer(continuation, add_special_tokens=False).input_ids
        if len(ids) + len(answer) > self.context:
            raise TeacherError(
                f"prompt and continuation have {len(ids) + len(answer)} tokens, the context is {self.context}"
            )
        return await self._submit(ids, None, answer) if answer else []

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
        text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    async def _submit(self, ids: list[int], request: Request | None, continuation: list[int]) -> Any:
        job = Job(ids, request, continuation, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await job.done

    async def _work(self) -> None:
        """Batch after batch, until nothing waits; in a thread, so that new requests keep arriving."""
        while self._waiting:
            await asyncio.sleep(0.005)  # let the tasks that the last batch woke ask their next question
            batch = self._take()
            try:
                results = await asyncio.to_thread(self._answer, batch)
            except Exception as error:
                if type(error).__name__ == "OutOfMemoryError" and len(batch) > 1:
                    self.batch_rows = max(1, sum(map(width, batch)) // 2)
                    self._waiting = batch + self._waiting
                    continue
                for job in batch:
                    if not job.done.done():
                        job.done.set_exception(TeacherError(f"{type(error).__name__}: {error}"))
                continue
            for job, result in zip(batch, results, strict=True):
                if not job.done.done():
                    job.done.set_result(result)

    def _take(self) -> list[Job]:
        """The jobs that go with the first one, nearest in length, as many as fit a batch."""
        first = self._waiting[0]
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
        return list(self._generate(jobs) if jobs[0].request else self._score(jobs))

    def _generate(self, jobs: list[Job]) -> list[list[Completion]]:
        import torch

        requests = [job.request for job in jobs if job.request]
        sampling = requests[0].sampling
        owner = [i for i, request in enumerate(requests) for _ in range(request.n)]
        limits = [min(sampling.max_tokens, self.context - len(jobs[i].ids)) for i in owner]
        streams = [stream(r, r.first + k, max(limits)) for r in requests for k in range(r.n)]
        input_ids, mask = self._pad([job.ids for job in jobs])
        draw = Draw(sampling, torch.tensor(streams, device=input_ids.device))
        with torch.inference_mode():
            rows = torch.tensor(owner, device=input_ids.device)
            output = self._model.generate(
                input_ids=input_ids[rows],
                attention_mask=mask[rows],
                past_key_values=self._prefill(input_ids, mask, rows),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                max_new_tokens=max(limits),
                logits_processor=[draw],
                stop_strings=list(sampling.stop) or None,
                tokenizer=self._tokenizer if sampling.stop else None,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        texts = self._read(output[:, input_ids.shape[1] :].tolist(), limits, draw.logprobs(), sampling)
        answers = [[c for c, i in zip(texts, owner, strict=True) if i == job] for job in range(len(jobs))]
        return [
            [replace(c, prompt_tokens=len(job.ids) if k == 0 else 0) for k, c in enumerate(found)]
            for job, found in zip(jobs, answers, strict=True)
        ]

    def _prefill(self, input_ids: Any, mask: Any, rows: Any) -> Any:
        """The cache of every prompt but its last token, computed once per prompt and repeated for its samples."""
        if input_ids.shape[1] < 2:
            return None
        prompt = mask[:, :-1]
        cache = self._model(
            input_ids=input_ids[:, :-1],
            attention_mask=prompt,
            position_ids=(prompt.cumsum(-1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=1,
        ).past_key_values
        cache.batch_select_indices(rows)
        return cache

    def _read(
        self, output: list[list[int]], limits: list[int], logprobs: list[list[float]], sampling: Sampling
    ) -> list[Completion]:
        ends = as_set(self._model.generation_config.eos_token_id) | as_set(self._tokenizer.eos_token_id)
        return [
            self._completion(tokens[:limit], values, ends, sampling)
            for tokens, limit, values in zip(output, limits, logprobs, strict=True)
        ]

    def _completion(self, tokens: list[int], logprobs: list[float], ends: set[int], sampling: Sampling) -> Completion:
        end = next((i for i, token in enumerate(tokens) if token in ends), None)
        kept = tokens if end is None else tokens[:end]
        text = self._tokenizer.decode(kept, skip_special_tokens=True)
        cuts = [at for at in (text.find(s) for s in sampling.stop) if at >= 0]
        counted = logprobs[: len(kept) + (end is not None)]
        return Completion(
            text=text[: min(cuts)] if cuts else text,
            finish_reason="stop" if cuts or end is not None else "length",
            tokens=len(counted),
            mean_logprob=sum(counted) / len(counted) if counted else None,
        )

    def _score(self, jobs: list[Job]) -> list[list[float]]:
        import torch

        sequences = [job.ids + job.continuation for job in jobs]
        input_ids, mask = self._pad(sequences)
        longest = max(len(job.continuation) for job in jobs)
        with torch.inference_mode():
            logits_BTV = self._model(
                input_ids=input_ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
                logits_to_keep=longest + 1,
            ).logits[:, :-1]
            logprobs_BT = logits_BTV.float().log_softmax(-1).gather(-1, input_ids[:, -longest:, None])[..., 0]
        return [row[-len(job.continuation) :] for row, job in zip(logprobs_BT.tolist(), jobs, strict=True)]

    def _pad(self, sequences: list[list[int]]) -> tuple[Any, Any]:
        """Left-padded ids and attention mask, both [batch, longest]."""
        import torch

        longest = max(map(len, sequences))
        pad = self._tokenizer.pad_token_id or 0
        ids = [[pad] * (longest - len(s)) + s for s in sequences]
        mask = [[0] * (longest - len(s)) + [1] * len(s) for s in sequences]
        device = self._model.device
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


class Draw:
    """A logits processor that chooses each row's token: by inverse CDF of a uniform number from the row's own stream.

    `generate` then takes the argmax of what is left: exactly the chosen token. uniforms_BT: [rows, steps], in [0, 1).
    """

    def __init__(self, sampling: Sampling, uniforms_BT: Any):
        self.sampling, self.uniforms_BT = sampling, uniforms_BT
        self.step = 0
        self._chosen: list[Any] = []

    def __call__(self, input_ids: Any, scores_BV: Any) -> Any:
        import torch

        logprobs_BV = scores_BV.float().log_softmax(-1)
        token_B = logprobs_BV.argmax(-1) if self.sampling.temperature == 0 else self._sample(logprobs_BV)
        self._chosen.append(logprobs_BV.gather(-1, token_B[:, None])[:, 0])
        self.step += 1
        return torch.full_like(scores_BV, -torch.inf).scatter_(-1, token_B[:, None], 0.0)

    def _sample(self, logprobs_BV: Any) -> Any:
        probs_BV = (logprobs_BV / self.sampling.temperature).softmax(-1)
        if self.sampling.top_p < 1:
            probs_BV = nucleus(probs_BV, self.sampling.top_p)
        mass_BV = probs_BV.double().cumsum(-1)
        target_B = self.uniforms_BT[:, self.step] * mass_BV[:, -1]
        return (mass_BV <= target_B[:, None]).sum(-1).clamp(max=mass_BV.shape[-1] - 1)

    def logprobs(self) -> list[list[float]]:
        """Log-probability at temperature 1 of every chosen token, [rows][steps]."""
        import torch

        return torch.stack(self._chosen, dim=1).tolist() if self._chosen else []


def nucleus(probs_BV: Any, top_p: float) -> Any:
    """Zero all but the fewest most probable tokens whose mass reaches top_p (arXiv 1904.09751, section 3.1)."""
    sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    return probs_BV.scatter(-1, order_BV, sorted_BV.masked_fill(before_BV >= top_p, 0.0))


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
    return job.request.n if job.request else 1


def as_set(ids: int | Iterable[int] | None) -> set[int]:
    if ids is None:
        return set()
    return {ids} if isinstance(ids, int) else set(ids)


def fingerprint(folder: Path) -> str:
    """16 hex digits over the model's files: small ones whole, weights by size and their first and last megabyte."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.suffix not in {".json", ".safetensors", ".bin", ".model", ".jinja"} or file.name == "lineage.json":
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}\n".encode())
        with file.open("rb") as handle:
            digest.update(handle.read(1 << 20))
            handle.seek(max(size - (1 << 20), 0))
            digest.update(handle.read())
    return digest.hexdigest()[:16]
