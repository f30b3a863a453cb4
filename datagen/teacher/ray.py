"""A teacher on many machines: Ray workers, each with the teacher of `spec` in it, answer blocks of
requests.

A worker that dies costs its blocks: the others take them over while Ray starts it again. A block
that was lost is cut up, so that a request which kills workers is soon alone and the others get
their answers. Answers come back block by block and the journal keeps them here, so a run on a
cluster has the guarantees of a run on one machine. Why these are workers of our own and not Ray
Data's LLM processors stands in docs/scale.md."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, TeacherError
from datagen.teacher.ray_cluster import gpus_of, identity_of, join, last_line, started, workers_for
from datagen.teacher.scoring import Pair, score_many
from datagen.teacher.throttle import Patience
from datagen.teacher.vllm import EngineDied

BLOCK = 64
"""Most requests that travel together, and are lost together with a worker."""
DEPTH = 2
"""Blocks that a worker has at once: while one ends, its engine is kept full by the next."""
AGAIN = (8, 1, 1, 1)
"""The same after one loss, after two, and so on. A request that is lost once more has failed."""
ALONE = 3
"""After this many losses a request has no other that was lost so often beside it on a worker: it
may be the killer."""
GATHER_S = 0.002
"""Requests that come within this time travel together."""
PASSED_ON = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
"""What a worker needs of this environment. Passed as an argument, which no dashboard shows."""

Call: TypeAlias = tuple[str, tuple[Any, ...]]
"""A method of `Worker` and its arguments."""


@dataclass
class Job:
    call: Call
    done: asyncio.Future[Any]
    losses: int = 0


class Seat:
    """A worker as those see it who feed it."""

    def __init__(self, worker: Any):
        self.worker, self.alone, self.up = worker, asyncio.Lock(), asyncio.Event()
        self.up.set()

    async def answer(self, block: list[Job]) -> list[Any]:
        async with self.alone if block[0].losses >= ALONE else nullcontext():
            await self.up.wait()  # a block that was never asked shall not count as lost
            return list(await self.worker.answer.remote([job.call for job in block]))

    async def restart(self) -> None:
        """Raises what keeps the worker from being started again."""
        self.up.clear()
        try:
            await started(self.worker)
        finally:
            self.up.set()


class RayTeacher:
    """The teacher of `spec` in `workers` actors of a Ray cluster: the one at RAY_ADDRESS, or one on
    this machine alone.

    Without `workers`: as many as the cluster's GPUs can hold, or one a machine where it has none.
    """

    def __init__(
        self,
        spec: str,
        *,
        concurrency: int = 64,
        patience: Patience | None = None,
        workers: int | None = None,
    ):
        from datagen.teacher import connect

        self.spec, self._concurrency, self._patience, self._size = (
            spec,
            concurrency,
            patience,
            workers,
        )
        self._local = connect(spec)  # asked for nothing but its name and its tokenizer
        self.name = self._local.name
        self._ray = join()
        self._starting = threading.Lock()
        self._workers: list[Any] = []
        self._identity = ""
        self._waiting: asyncio.Queue[list[Job]] = asyncio.Queue()
        self._feeders: list[asyncio.Task[None]] = []
        self._idle = 0
        self._over: BaseException | None = None

    @property
    def identity(self) -> str:
        """That of the workers' teacher: a run may go on without Ray, and back. Raises UserError
        where they differ."""
        self._start()
        return self._identity

    @property
    def tokenizer(self) -> Any:
        """The model's own, where it runs here. Raises AttributeError for an endpoint."""
        return self._local.tokenizer  # type: ignore[attr-defined]

    async def check(self) -> None:
        await asyncio.to_thread(self._start)
        await asyncio.gather(*(started(worker) for worker in self._workers))

    async def complete(self, request: Request) -> list[Completion]:
        return list(await self._ask("complete", request))

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        return list(await self._ask("score", prompt, continuation))

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return list(await self._ask("score_many", pairs))

    async def close(self) -> None:
        """End the workers, and what they are answering."""
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        self._feeders, self._idle = [], 0
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []

    def _start(self) -> None:
        with self._starting:  # many tasks may ask at once
            if self._workers:
                return
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
            workers = [
                actor.remote(self.spec, share, self._patience, environment) for _ in range(size)
            ]
            asked = [worker.identity.remote() for worker in workers]  # all are started at once
            identities = {
                identity_of(self._ray, *pair) for pair in zip(workers, asked, strict=True)
            }
            if len(identities) > 1:
                raise UserError(
                    f"the workers do not have the same {self.name}: {', '.join(sorted(identities))}"
                )
            self._workers, self._identity = workers, identities.pop()

    async def _ask(self, *call: Any) -> Any:
        await asyncio.to_thread(self._start) if not self._workers else None
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
        """Give a worker block after block. Where it dies, the block is for whoever is free."""
        from ray.exceptions import RayError

        while True:
            await seat.up.wait()
            block = await self._take()
            try:
                answers = await seat.answer(block)
            except (
                RayError
            ) as error:  # it died, or the answers did with the machine that they lay on
                self._put_back(block, error)
                await seat.restart()
                continue
            for job, answer in zip(block, answers, strict=True):
                if not job.done.done():
                    job.done.set_exception(answer) if isinstance(
                        answer, Exception
                    ) else job.done.set_result(answer)

    async def _take(self) -> list[Job]:
        """An even share of what waits, so that no worker idles while another has a full block; or a
        block that was lost, as it is."""
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
        """What waits and was never lost."""
        for _ in range(self._waiting.qsize()):
            if len(block) >= most:
                return
            more = self._waiting.get_nowait()
            self._waiting.put_nowait(more) if more[0].losses else block.extend(more)

    def _put_back(self, block: list[Job], error: Exception) -> None:
        """In smaller blocks, or not at all."""
        losses = block[0].losses + 1
        for job in block:
            job.losses = losses
        if losses > len(AGAIN):
            fail(
                block,
                TeacherError(
                    f"{losses} workers were lost over this request, the last: {last_line(error)}"
                ),
            )
            return
        most = AGAIN[losses - 1]
        for first in range(0, len(block), most):
            self._waiting.put_nowait(block[first : first + most])

    def _ended(self, feeder: asyncio.Task[None]) -> None:
        """A worker is gone for good. The run ends with the last."""
        if feeder.cancelled():
            return
        self._feeders.remove(feeder)
        self._over = None if self._feeders else feeder.exception()
        while self._over and not self._waiting.empty():
            fail(self._waiting.get_nowait(), self._over)


class Worker:
    """The actor: one teacher of its own, asked for a block at a time."""

    def __init__(
        self, spec: str, concurrency: int, patience: Patience | None, environment: dict[str, str]
    ):
        from datagen.teacher import connect

        os.environ.update(environment)
        self.teacher = connect(spec, concurrency=concurrency, patience=patience)

    async def identity(self) -> str:
        return await asyncio.to_thread(lambda: self.teacher.identity)

    async def check(self) -> None:
        await self.teacher.check()

    async def answer(self, calls: list[Call]) -> list[Any]:
        """One result a call: its answer, or the error of that call alone."""
        return await asyncio.gather(*(self._one(name, arguments) for name, arguments in calls))

    async def _one(self, name: str, arguments: tuple[Any, ...]) -> Any:
        try:
            if name == "score_many":
                return await score_many(self.teacher, *arguments)
            return await getattr(self.teacher, name)(*arguments)
        except EngineDied:
            os._exit(1)  # Ray opens another in its place, and the block is asked again
        except (UserError, TeacherError) as error:
            return error
        except Exception as error:  # whatever it was, it must survive the way back
            return TeacherError(f"{type(error).__name__}: {error}")


def fail(block: list[Job], error: BaseException) -> None:
    for job in block:
        if not job.done.done():
            job.done.set_exception(error)
