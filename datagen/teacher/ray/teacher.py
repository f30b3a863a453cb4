"""A teacher on many machines: every worker of a Ray cluster has a teacher of its own.

Requests travel to the workers in blocks. When a worker dies, its blocks are lost. Other workers
take them over while Ray starts the worker again. A lost block is split, so that a request that
kills workers is soon alone and the other requests get their answers. Answers come back in blocks,
and the journal of this process records them. So a run on a cluster has the same guarantees as a run
on one machine. docs/scale.md explains why this project has its own workers and does not use Ray
Data's LLM processors.
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
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.engines import make_engine
from datagen.teacher.ray.cluster import (
    gpus_of,
    join,
    last_line,
    wait_for_identity,
    wait_until_open,
    workers_for,
)
from datagen.teacher.ray.seat import Job, Seat, deliver, fail
from datagen.teacher.ray.worker import Worker
from datagen.teacher.spec import TeacherSpec
from datagen.teacher.topk import Tokens, Topk

BLOCK = 64
"""The most requests that travel together. They are also lost together when a worker dies."""
BLOCKS_PER_WORKER = 2
"""Blocks that a worker has at once. While the last requests of one block end, the next block keeps
the engine busy."""
RETRY_SIZES = (8, 1, 1, 1)
"""The most requests of a block after one loss, after two losses, and so on. After one more loss the
request has failed."""
GATHER_S = 0.002
"""Requests that come within this many seconds travel together. An answer takes far longer."""
WORKER_ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"""Environment variables that a worker needs. They are passed as an argument, because Ray's
dashboard does not show arguments."""


class RayTeacher:
    """The teacher of `spec` in `workers` actors of a Ray cluster.

    The cluster is the one at RAY_ADDRESS, or else one that is started on this machine. Without
    `workers`, there are as many as the cluster's GPUs hold, or one a machine if it has no GPUs.
    """

    def __init__(
        self,
        spec: TeacherSpec,
        *,
        concurrency: int = 64,
        patience: Patience | None = None,
        workers: int | None = None,
        chat: ChatOptions | None = None,
    ):
        self.spec = spec
        self.name = spec.name
        self.capabilities = spec.capabilities
        self._concurrency = concurrency
        self._patience = patience
        self._chat = chat
        self._size = workers
        # for identity and tokenizer: it loads no weights and answers no requests
        self._local_engine: Any = make_engine(spec, chat=chat)
        self._ray = join()
        self._starting = threading.Lock()
        self._workers: list[Any] = []
        self._identity = ""
        self._context: int | None = None
        self._waiting: asyncio.Queue[list[Job]] = asyncio.Queue()
        self._feeders: list[asyncio.Task[None]] = []
        self._idle_feeders = 0
        self._fatal_error: BaseException | None = None

    async def identify(self) -> str:
        """Return the same identity as without Ray, so a run may continue either way.

        If this machine does not have the weights, the workers are asked for their identity.
        """
        try:
            return str(await self._local_engine.identify())
        except UserError:
            return await self._common_identity()

    async def open(self) -> None:
        """Start the workers and open their teachers.

        Raises:
            UserError: the workers do not have the same model, or a teacher cannot be opened.
        """
        await self._common_identity()
        facts = await asyncio.gather(*(wait_until_open(worker) for worker in self._workers))
        # a request may go to any worker, so the smallest context counts
        contexts = [fact.context for fact in facts if fact.context is not None]
        self._context = min(contexts, default=None)

    def load_tokenizer(self) -> Any:
        """Return the model's own tokenizer, for an engine with the capability `tokenizer`."""
        return self._local_engine.load_tokenizer()

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
        """Return the topk of all pairs. One worker computes them.

        The numbers depend on which pairs are batched together, so the pairs are not split. To keep
        all workers busy, ask for several groups of pairs at once.
        """
        return list(await self._ask("topk", pairs, k))

    async def close(self) -> None:
        """Stop the workers, and cancel the requests that they are answering."""
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        self._feeders = []
        self._idle_feeders = 0
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []

    async def _common_identity(self) -> str:
        """Return the identity that all workers share, and start them first if need be.

        Raises:
            UserError: the identities differ.
        """
        return await asyncio.to_thread(self._start)

    def _start(self) -> str:
        # many tasks may ask at once, and each runs in a thread of its own
        with self._starting:
            if not self._workers:
                workers = self._new_workers()
                self._identity = self._ask_identity(workers)
                self._workers = workers
            return self._identity

    def _new_workers(self) -> list[Any]:
        gpus = gpus_of(self.spec) if self._ray.cluster_resources().get("GPU") else 0
        size = self._size or workers_for(self._ray, gpus)
        actor = self._ray.remote(Worker).options(
            # the GPUs alone decide how many workers a machine has
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
            scheduling_strategy="SPREAD",
            # -1 is no limit: the losses of a request are counted, not those of a worker
            max_restarts=-1,
        )
        environment = {name: os.environ[name] for name in WORKER_ENVIRONMENT if name in os.environ}
        share = math.ceil(self._concurrency / size)
        arguments = (self.spec, share, self._patience, environment, self._chat)
        return [actor.remote(*arguments) for _ in range(size)]

    def _ask_identity(self, workers: list[Any]) -> str:
        # all workers are asked before any answer is awaited, so that they start at the same time
        asked = [worker.identify.remote() for worker in workers]
        pairs = zip(workers, asked, strict=True)
        identities = {wait_for_identity(self._ray, *pair) for pair in pairs}
        if len(identities) > 1:
            raise UserError(
                f"the workers do not have the same {self.name}: {', '.join(sorted(identities))}"
            )
        return identities.pop()

    async def _ask(self, *call: Any) -> Any:
        """Return the answer to a call: the name of a teacher's method, and its arguments."""
        if not self._workers:
            await self._common_identity()
        if self._fatal_error:
            raise self._fatal_error
        if not self._feeders:
            self._start_feeders()
        job = Job((call[0], call[1:]), asyncio.get_running_loop().create_future())
        self._waiting.put_nowait([job])
        return await job.done

    def _start_feeders(self) -> None:
        for seat in map(Seat, self._workers):
            self._feeders += [
                asyncio.create_task(self._feed(seat)) for _ in range(BLOCKS_PER_WORKER)
            ]
        for feeder in self._feeders:
            feeder.add_done_callback(self._feeder_ended)

    async def _feed(self, seat: Seat) -> None:
        """Send block after block to a worker. If it dies, its block goes back into the queue."""
        from ray.exceptions import RayError

        while True:
            await seat.up.wait()
            block = await self._next_block()
            try:
                answers = await seat.answer(block)
            except RayError as error:
                # the worker died, or its answers did with the machine that held them
                self._put_back(block, error)
                await seat.restart()
                continue
            for job, answer in zip(block, answers, strict=True):
                deliver(job, answer)

    async def _next_block(self) -> list[Job]:
        """Return a lost block unchanged, or an even share of the waiting requests.

        With even shares no worker is idle while another has a full block.
        """
        block: list[Job] = []
        while not block:
            self._idle_feeders += 1
            try:
                block = await self._waiting.get()
                await asyncio.sleep(GATHER_S)
                # the 1 is the request that was just taken out of the queue
                share = math.ceil((1 + self._waiting.qsize()) / self._idle_feeders)
            finally:
                self._idle_feeders -= 1
            if not block[0].losses:
                self._add_waiting(block, min(share, BLOCK))
            # tasks may have been cancelled while their requests waited
            block = [job for job in block if not job.done.done()]
        return block

    def _add_waiting(self, block: list[Job], most: int) -> None:
        """Add waiting requests that were never lost, until the block has `most` requests."""
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
        if losses > len(RETRY_SIZES):
            lost = f"{losses} workers were lost over this request, the last: {last_line(error)}"
            fail(block, Unavailable(lost))
            return
        most = RETRY_SIZES[losses - 1]
        for first in range(0, len(block), most):
            self._waiting.put_nowait(block[first : first + most])

    def _feeder_ended(self, feeder: asyncio.Task[None]) -> None:
        """Record that a worker is gone for good. With the last worker the run ends."""
        if feeder.cancelled():
            return
        self._feeders.remove(feeder)
        self._fatal_error = None if self._feeders else feeder.exception()
        while self._fatal_error and not self._waiting.empty():
            fail(self._waiting.get_nowait(), self._fatal_error)
