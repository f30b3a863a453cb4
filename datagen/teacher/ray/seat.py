"""One Ray worker as its feeders see it, and the requests that are sent to it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from datagen.errors import DatagenError
from datagen.teacher.ray.cluster import wait_until_open
from datagen.teacher.ray.worker import Call

ALONE_AFTER = 3
"""After this many losses, a worker answers only one such request at a time. The request may be what
kills the worker."""


@dataclass
class Job:
    """A call that waits for its answer, and the number of workers that died with it."""

    call: Call
    done: asyncio.Future[Any]
    losses: int = 0


class Seat:
    """A worker, and what its feeders know about it."""

    def __init__(self, worker: Any):
        self.worker = worker
        self.alone = asyncio.Lock()
        self.up = asyncio.Event()
        self.up.set()

    async def answer(self, block: list[Job]) -> list[Any]:
        """Return the worker's answers to a block of calls."""
        async with self.alone if block[0].losses >= ALONE_AFTER else nullcontext():
            # a block that was never sent to the worker must not count as lost
            await self.up.wait()
            return list(await self.worker.answer.remote([job.call for job in block]))

    async def restart(self) -> None:
        """Wait until Ray has started the worker again. An error that prevents it is raised."""
        self.up.clear()
        try:
            await wait_until_open(self.worker)
        finally:
            self.up.set()


def deliver(job: Job, answer: Any) -> None:
    """Give a job its answer, or the error of its call."""
    if job.done.done():
        return
    if isinstance(answer, DatagenError):
        job.done.set_exception(answer)
    else:
        job.done.set_result(answer)


def fail(block: list[Job], error: BaseException) -> None:
    """Give an error to all jobs of a block that have no answer."""
    for job in block:
        if not job.done.done():
            job.done.set_exception(error)
