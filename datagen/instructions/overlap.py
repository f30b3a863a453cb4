"""Ordered results of work that overlaps: many requests are under way, the order stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def overlap(
    items: AsyncGenerator[Item], work: Callable[[Item], Awaitable[Result]], *, most: int
) -> AsyncGenerator[Result]:
    """Work on up to `most` items at once, while the items keep coming.

    Item i is taken once the consumer is done with result i - `most`. Closing the generator cancels
    what is under way, and closes `items`.

    Args:
        items: what is worked on. It may wait for earlier results.
        work: from an item to its result.
        most: items under way at once.

    Yields:
        The results, in the order of the items.
    """
    room = asyncio.Semaphore(most)
    started = asyncio.Queue[asyncio.Task[Result] | None]()
    tasks = set[asyncio.Task[Result]]()

    async def run(item: Item) -> Result:
        return await work(item)

    async def start() -> None:
        try:
            while await room.acquire():
                task = asyncio.create_task(run(await anext(items)))
                tasks.add(task)
                started.put_nowait(task)
        except StopAsyncIteration:
            pass
        finally:
            started.put_nowait(None)

    # the items are taken by a task of their own: they may wait while results are consumed
    feeder = asyncio.create_task(start())
    try:
        while (task := await started.get()) is not None:
            yield await task
            tasks.discard(task)
            room.release()
        await feeder  # raises the error that ended the items, if any
    finally:
        for unfinished in (feeder, *tasks):
            unfinished.cancel()
        await asyncio.gather(feeder, *tasks, return_exceptions=True)
        await items.aclose()
