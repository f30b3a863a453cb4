"""Run a coroutine from ordinary code, in a script or in a notebook."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_coroutine(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end and return its result.

    A notebook has a running event loop, in which `asyncio.run` refuses to start. There the
    coroutine runs in an event loop of its own in another thread, and the caller waits for it.

    Args:
        coroutine: The coroutine to run.

    Returns:
        The result of the coroutine.

    Raises:
        BaseException: Whatever the coroutine raises. An interrupt cancels the coroutine first.

    Example:
        >>> async def double(x: int) -> int:
        ...     return 2 * x
        >>> run_coroutine(double(21))
        42
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return in_thread(coroutine)


def in_thread(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in an event loop of its own in another thread, and wait for the result."""
    result: Future[Result] = Future()
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)

    def work() -> None:
        try:
            result.set_result(loop.run_until_complete(task))
        # Also a cancellation: otherwise the caller would wait for ever.
        except BaseException as error:
            result.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="datagen")
    thread.start()
    try:
        return result.result()
    except KeyboardInterrupt:
        # Answers that arrived must be stored before this function returns. So the coroutine is
        # cancelled and does its own cleanup, and the interrupt is passed on after that.
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
            thread.join()
        raise


async def run_together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all coroutines. The first error cancels the others. It is raised once they have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
