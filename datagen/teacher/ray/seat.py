"""A Ray worker as those see it who feed it, and the requests on their way to it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from datagen.errors import DatagenError
from datagen.teacher.ray.cluster import opened
from datagen.teacher.ray.worker import Call

ALONE = 3
"""After this many losses, a worker answers only one such request at a time: it may be what kills
the worker."""


@dataclass
class Job:
    """A call that waits for its answer, and how many workers died with it."""

    call: Call
    done: asyncio.Future[Any]
    losses: int = 0


class Seat:
    """A worker and what its feeders know of it."""

    def __init__(self, worker: Any):
        self.worker = worker
        self.alone = asyncio.Lock()
        self.up = asyncio.Event()
        self.up.set()

    async def answer(self, block: list[Job]) -> list[Any]:
        async with self.alone if block[0].losses >= ALONE else nullcontext():
            await self.up.wait()  # a block that was never asked must not count as lost
            return list(await self.worker.answer.remote([job.call for job in block]))

    async def restart(self) -> None:
        """Wait until Ray has started the worker again. Raises what keeps it from starting."""
        self.up.clear()
        try:
            await opened(self.worker)
        finally:
            self.up.set()


def deliver(job: Job, answer: Any) -> None:
    """Give a job its answer, or the error that came in its place."""
    if job.done.done():
        return
    if isinstance(answer, DatagenError):
        job.done.set_exception(answer)
    else:
        job.done.set_result(answer)


def fail(block: list[Job], error: BaseException) -> None:
    for job in block:
        if not job.done.done():
            job.done.set_exception(error)
