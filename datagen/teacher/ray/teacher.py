"""A teacher on many machines: each worker of a Ray cluster has the teacher of `spec` and answers
blocks of requests.

When a worker dies, its blocks are lost: other workers take them over while Ray starts it again. A
lost block is cut up, so that a request that kills workers is soon alone, and the others get their
answers. Answers come back block by block and the journal keeps them here, so a run on a cluster has
the guarantees of a run on one machine. docs/scale.md says why these are workers of our own and not
Ray Data's LLM processors.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Sequence
from typing import Any

from datagen.errors import Unavailable, UserError
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.engines import make_engine
from datagen.teacher.ray.cluster import (
    gpus_of,
    identity_of,
    join,
    last_line,
    opened,
    workers_for,
)
from datagen.teacher.ray.seat import Job, Seat, deliver, fail
from datagen.teacher.ray.worker import Worker
from datagen.teacher.spec import TeacherSpec
from datagen.teacher.topk import Tokens, Topk

BLOCK = 64
"""Most requests that travel together, and are lost together with a worker."""
DEPTH = 2
"""Blocks that a worker has at once: while one ends, the next keeps its engine busy."""
AGAIN = (8, 1, 1, 1)
"""Most requests of a block after one loss, after two, and so on. A request that is lost once more
has failed."""
GATHER_S = 0.002
"""Requests that come within this time travel together. Far shorter than an answer takes."""
PASSED_ON = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"""What a worker needs of this environment. It is passed as an argument, which no dashboard
shows."""


class RayTeacher:
    """The teacher of `spec` in `workers` actors of a Ray cluster: the one at RAY_ADDRESS, or one on
    this machine alone.

    Without `workers`: as many as the cluster's GPUs can hold, or one a machine if it has none.
    """

    def __init__(
        self,
        spec: TeacherSpec,
        *,
        concurrency: int = 64,
        patience: Patience | None = None,
        workers: int | None = None,
    ):
        self.spec = spec
        self.name = spec.name
        self.capabilities = spec.capabilities
        self._concurrency = concurrency
        self._patience = patience
        self._size = workers
        self._here: Any = make_engine(spec)  # for identity and tokenizer; it answers nothing
        self._ray = join()
        self._starting = threading.Lock()
        self._workers: list[Any] = []
        self._identity = ""
        self._context: int | None = None
        self._waiting: asyncio.Queue[list[Job]] = asyncio.Queue()
        self._feeders: list[asyncio.Task[None]] = []
        self._idle = 0
        self._over: BaseException | None = None

    async def identify(self) -> str:
        """The identity of the same teacher without Ray, so a run may continue either way.

        If its weights are not on this machine, the workers say which they are.
        """
        try:
            return str(await self._here.identify())
        except UserError:
            return await self._common_identity()

    async def open(self) -> None:
        """Start the workers and open their teachers.

        Raises:
            UserError: The workers do not have the same model, or a teacher cannot be opened.
        """
        await self._common_identity()
        facts = await asyncio.gather(*(opened(worker) for worker in self._workers))
        contexts = [fact.context for fact in facts if fact.context is not None]
        self._context = min(contexts, default=None)

    def load_tokenizer(self) -> Any:
        """The model's own tokenizer, for an engine with the capability `tokenizer`."""
        return self._here.load_tokenizer()

    @property
    def context(self) -> int:
        """The most tokens of prompt and completion together. Known once the teacher is open."""
        assert self._context is not None, "open() comes first"
        return self._context

    async def complete(self, request: Request) -> list[Completion]:
        return list(await self._ask("complete", request))

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        return list(await self._ask("score", prompt, continuation))

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return list(await self._ask("score_many", pairs))

    async def topk(self, pairs: Sequence[Tokens], k: int) -> list[Topk]:
        """One worker computes all pairs, because the numbers depend on what is batched together.

        Ask for several groups of pairs at once to keep all workers busy.
        """
        return list(await self._ask("topk", pairs, k))

    async def close(self) -> None:
        """End the workers, and what they are answering."""
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        self._feeders = []
        self._idle = 0
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []

    async def _common_identity(self) -> str:
        """Start the workers if need be. Raises UserError if their identities differ."""
        return await asyncio.to_thread(self._start)

    def _start(self) -> str:
        with self._starting:  # many tasks may ask at once
            if not self._workers:
                workers = self._new_workers()
                self._identity = self._ask_identity(workers)
                self._workers = workers
            return self._identity

    def _new_workers(self) -> list[Any]:
        gpus = gpus_of(self.spec) if self._ray.cluster_resources().get("GPU") else 0
        size = self._size or workers_for(self._ray, gpus)
        actor = self._ray.remote(Worker).options(
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
            scheduling_strategy="SPREAD",
            max_restarts=-1,
        )
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        share = math.ceil(self._concurrency / size)
        arguments = (self.spec, share, self._patience, environment)
        return [actor.remote(*arguments) for _ in range(size)]

    def _ask_identity(self, workers: list[Any]) -> str:
        asked = [worker.identify.remote() for worker in workers]  # all start at once
        pairs = zip(workers, asked, strict=True)
        identities = {identity_of(self._ray, *pair) for pair in pairs}
        if len(identities) > 1:
            raise UserError(
                f"the workers do not have the same {self.name}: {', '.join(sorted(identities))}"
            )
        return identities.pop()

    async def _ask(self, *call: Any) -> Any:
        if not self._workers:
            await self._common_identity()
        if self._over:
            raise self._over
        if not self._feeders:
            self._feed_all()
        job = Job((call[0], call[1:]), asyncio.get_running_loop().create_future())
        self._waiting.put_nowait([job])
        return await job.done

    def _feed_all(self) -> None:
        for seat in map(Seat, self._workers):
            self._feeders += [asyncio.create_task(self._feed(seat)) for _ in range(DEPTH)]
        for feeder in self._feeders:
            feeder.add_done_callback(self._ended)

    async def _feed(self, seat: Seat) -> None:
        """Give a worker block after block. If it dies, any free worker takes its block."""
        from ray.exceptions import RayError

        while True:
            await seat.up.wait()
            block = await self._take()
            try:
                answers = await seat.answer(block)
            except RayError as error:
                # the worker died, or its answers did with the machine that held them
                self._put_back(block, error)
                await seat.restart()
                continue
            for job, answer in zip(block, answers, strict=True):
                deliver(job, answer)

    async def _take(self) -> list[Job]:
        """An even share of the waiting requests, so that no worker idles while another has a full
        block; or a lost block, as it is.
        """
        block: list[Job] = []
        while not block:
            self._idle += 1
            try:
                block = await self._waiting.get()
                await asyncio.sleep(GATHER_S)
                share = math.ceil((1 + self._waiting.qsize()) / self._idle)
            finally:
                self._idle -= 1
            if not block[0].losses:
                self._add(block, min(share, BLOCK))
            block = [job for job in block if not job.done.done()]
        return block

    def _add(self, block: list[Job], most: int) -> None:
        """Add waiting requests that were never lost."""
        for _ in range(self._waiting.qsize()):
            if len(block) >= most:
                return
            more = self._waiting.get_nowait()
            if more[0].losses:
                self._waiting.put_nowait(more)
            else:
                block.extend(more)

    def _put_back(self, block: list[Job], error: Exception) -> None:
        """Queue a lost block in smaller blocks, or fail its requests after too many losses."""
        losses = block[0].losses + 1
        for job in block:
            job.losses = losses
        if losses > len(AGAIN):
            lost = f"{losses} workers were lost over this request, the last: {last_line(error)}"
            fail(block, Unavailable(lost))
            return
        most = AGAIN[losses - 1]
        for first in range(0, len(block), most):
            self._waiting.put_nowait(block[first : first + most])

    def _ended(self, feeder: asyncio.Task[None]) -> None:
        """A worker is gone for good. With the last one the run ends."""
        if feeder.cancelled():
            return
        self._feeders.remove(feeder)
        self._over = None if self._feeders else feeder.exception()
        while self._over and not self._waiting.empty():
            fail(self._waiting.get_nowait(), self._over)
