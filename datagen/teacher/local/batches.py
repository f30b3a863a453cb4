"""Gathering concurrent requests into batches for one model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from datagen.errors import TeacherError
from datagen.teacher.base import Request, Sampling

TokenPair: TypeAlias = tuple[list[int], list[int]]
"""Tokens of a prompt and of its continuation."""

GATHER_S = 0.005
"""Seconds before a batch is formed. Meanwhile the tasks that got answers from the last batch can
ask their next question. A batch takes far longer than this."""


@dataclass
class Job:
    """A request, or pairs to score, that waits for its batch."""

    ids: list[int]
    """Prompt tokens of the request."""
    request: Request | None
    pairs: list[TokenPair]
    done: asyncio.Future[Any]

    @property
    def rows(self) -> int:
        """Sequences that the model computes for it."""
        return self.request.n if self.request else len(self.pairs)

    @property
    def settings(self) -> Sampling | None:
        """What all jobs of a batch must share: the sampling settings without the seed.

        None for scores.
        """
        return replace(self.request.sampling, seed=0) if self.request else None


class Batched(Protocol):
    """A model that computes batches."""

    batch_rows: int
    """Most sequences at once."""

    def compute(self, jobs: list[Job]) -> list[Any]:
        """Return one result for each job. This runs in a thread."""
        ...


class Batcher:
    """A queue of jobs before a model. The jobs of one batch have similar lengths."""

    def __init__(self, model: Batched):
        self._model = model
        self._waiting: list[Job] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(
        self, ids: list[int], request: Request | None = None, pairs: list[TokenPair] | None = None
    ) -> Any:
        """Return the completions of a request, or the scores of pairs.

        Args:
            ids: the prompt tokens of the request.
            request: the request.
            pairs: the pairs to score, if there is no request.

        Raises:
            TeacherError: the computation failed.
        """
        job = Job(ids, request, pairs or [], asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await job.done

    def close(self) -> None:
        """Stop after the current batch."""
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    async def _work(self) -> None:
        """Compute batch after batch until no job waits.

        The computation runs in a thread, so that new requests can arrive meanwhile.
        """
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            batch = self._next_batch()
            try:
                results = await asyncio.to_thread(self._model.compute, batch)
            except Exception as error:
                # by name, because this module works without torch
                if type(error).__name__ == "OutOfMemoryError" and self._halve(batch):
                    self._waiting = batch + self._waiting
                else:
                    fail(batch, TeacherError(f"{type(error).__name__}: {error}"))
                continue
            for job, result in zip(batch, results, strict=True):
                if not job.done.done():
                    job.done.set_result(result)

    def _halve(self, batch: list[Job]) -> bool:
        """Halve the rows that are computed at once, and return whether this can help the batch."""
        rows = min(sum(job.rows for job in batch), self._model.batch_rows)
        # the samples of one request are not split, so a smaller batch is the same batch
        if rows < 2 or (len(batch) == 1 and batch[0].request):
            return False
        self._model.batch_rows = rows // 2
        return True

    def _next_batch(self) -> list[Job]:
        """Remove and return the first job and others of similar length that can share its batch.

        Pairs to score are a batch of their own, so that their numbers depend on no other request.
        """
        first = self._waiting[0]
        if first.request is None:
            return [self._waiting.pop(0)]

        alike = [job for job in self._waiting if job.settings == first.settings]
        alike.sort(key=lambda job: abs(len(job.ids) - len(first.ids)))
        batch = [first]
        rows = first.rows
        for job in alike:
            if job is not first and rows + job.rows <= self._model.batch_rows:
                batch.append(job)
                rows += job.rows

        # by identity: equal jobs of several tasks are separate jobs
        taken = {id(job) for job in batch}
        self._waiting = [job for job in self._waiting if id(job) not in taken]
        return batch


def fail(jobs: list[Job], error: TeacherError) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)
