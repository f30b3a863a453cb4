"""A teacher on many machines: Ray workers, each with the teacher of `spec` in it, answer blocks of requests.

A worker that dies costs its blocks: the others take them over while Ray starts it again. Answers come back block by
block and the journal keeps them here, so a run on a cluster has the guarantees of a run on one machine. Why these are
workers of our own and not Ray Data's LLM processors stands in docs/scale.md.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, TeacherError
from datagen.teacher.scoring import Pair, score_many
from datagen.teacher.throttle import Patience
from datagen.teacher.vllm import EngineDied

BLOCK = 64
"""Most requests that travel together, and are lost together with a worker."""
DEPTH = 2
"""Blocks that a worker has at once: while one ends, its engine is kept full by the next."""
LOSSES = 3
"""A request fails when this many workers died over its block."""
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


class RayTeacher:
    """The teacher of `spec` in `workers` actors of a Ray cluster: the one at RAY_ADDRESS, or one on this machine alone.

    Without `workers`: as many as the cluster's GPUs can hold, or one a machine where it has none.
    """

    def __init__(
        self, spec: str, *, concurrency: int = 64, patience: Patience | None = None, workers: int | None = None
    ):
        from datagen.teacher import connect

        self.spec, self._concurrency, self._patience, self._size = spec, concurrency, patience, workers
        self._local = connect(spec)  # asked for nothing but its name and its tokenizer
        self.name = self._local.name
        self._starting = threading.Lock()
        self._workers: list[Any] = []
        self._identity = ""
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()
        self._feeders: list[asyncio.Task[None]] = []
        self._idle = 0

    @property
    def identity(self) -> str:
        """That of the workers' teacher: a run may go on without Ray, and back. Raises UserError where they differ."""
        self._start()
        return self._identity

    @property
    def tokenizer(self) -> Any:
        """The model's own, where it runs here. Raises AttributeError for an endpoint."""
        return self._local.tokenizer  # type: ignore[attr-defined]

    async def check(self) -> None:
        await asyncio.to_thread(self._start)
        await asyncio.gather(*(worker.check.remote() for worker in self._workers))

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
        if self._workers:
            import ray

            for worker in self._workers:
                ray.kill(worker)
            self._workers = []

    def _start(self) -> None:
        with self._starting:  # many tasks may ask at once
            if self._workers:
                return
            ray = join()
            gpus = gpus_of(self.spec) if ray.cluster_resources().get("GPU") else 0
            size = self._size or workers_for(ray, gpus)
            actor = ray.remote(Worker).options(
                num_cpus=0 if gpus else 1, num_gpus=gpus, scheduling_strategy="SPREAD", max_restarts=-1
            )
            environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
            share = math.ceil(self._concurrency / size)
            workers = [actor.remote(self.spec, share, self._patience, environment) for _ in range(size)]
            identities = set(ray.get([worker.identity.remote() for worker in workers]))
            if len(identities) > 1:
                raise UserError(f"the workers do not have the same {self.name}: {', '.join(sorted(identities))}")
            self._workers, self._identity = workers, identities.pop()

    async def _ask(self, *call: Any) -> Any:
        await asyncio.to_thread(self._start) if not self._workers else None
        if not self._feeders:
            self._feeders = [asyncio.create_task(self._feed(worker)) for worker in self._workers * DEPTH]
        job = Job((call[0], call[1:]), asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(job)
        return await job.done

    async def _feed(self, worker: Any) -> None:
        """Give a worker block after block. Where it dies, the block is for whoever is free."""
        from ray.exceptions import RayActorError

        while True:
            block = await self._take()
            try:
                answers = await worker.answer.remote([job.call for job in block])
            except RayActorError:
                self._put_back(block)
                await started_again(worker)
                continue
            for job, answer in zip(block, answers, strict=True):
                if not job.done.done():
                    job.done.set_exception(answer) if isinstance(answer, Exception) else job.done.set_result(answer)

    async def _take(self) -> list[Job]:
        """An even share of what waits, so that no worker idles while another has a full block."""
        self._idle += 1
        try:
            block = [await self._waiting.get()]
            await asyncio.sleep(GATHER_S)
            share = math.ceil((1 + self._waiting.qsize()) / self._idle)
        finally:
            self._idle -= 1
        while len(block) < min(share, BLOCK) and not self._waiting.empty():
            block.append(self._waiting.get_nowait())
        return [job for job in block if not job.done.done()]

    def _put_back(self, block: list[Job]) -> None:
        for job in block:
            job.losses += 1
            if job.losses < LOSSES:
                self._waiting.put_nowait(job)
            elif not job.done.done():
                job.done.set_exception(TeacherError(f"{LOSSES} workers died over the block of this request"))


class Worker:
    """The actor: one teacher of its own, asked for a block at a time."""

    def __init__(self, spec: str, concurrency: int, patience: Patience | None, environment: dict[str, str]):
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


def join() -> Any:
    """Ray, joined or started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UserError("Ray is not installed: pip install 'emergent-distill[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"cannot join the Ray cluster (RAY_ADDRESS): {str(error).splitlines()[0]}") from None
    return ray


def gpus_of(spec: str) -> int:
    """GPUs that a worker with this teacher needs, on a cluster that has some."""
    engine, _, model = spec.partition(":")
    if engine != "vllm":
        return 0 if engine == "openai" else 1
    from datagen.teacher.vllm import read_arguments

    arguments = read_arguments(model.partition("?")[2])
    sizes = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
    return math.prod(int(arguments.get(name, 1)) for name in sizes)


def workers_for(ray: Any, gpus: int) -> int:
    """As many as the GPUs can hold; without GPUs one a machine, whose engine takes all its cores."""
    if gpus:
        found = int(ray.cluster_resources()["GPU"] // gpus)
        if not found:
            raise UserError(f"a worker needs {gpus} GPUs, the cluster has {ray.cluster_resources()['GPU']:g}")
        return found
    return sum(node["Alive"] for node in ray.nodes())


async def started_again(worker: Any) -> None:
    """Until a worker that died answers again, on whatever machine Ray finds for it."""
    from ray.exceptions import RayActorError

    while True:
        try:
            await worker.check.remote()
            return
        except RayActorError:
            await asyncio.sleep(1.0)
