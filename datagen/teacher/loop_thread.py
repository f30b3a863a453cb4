"""An event loop in its own thread, so that plain code can wait for coroutines anywhere."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

JOIN_S = 5.0
"""Seconds that `stop` waits for the thread. A computation may keep it busy for longer, but the
thread does not keep the process alive."""


class LoopThread:
    """Runs coroutines in its own thread, even if the calling thread has a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._starting = threading.Lock()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return a coroutine's result. If the wait is interrupted, the coroutine is cancelled."""
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def arun(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return a coroutine's result, for callers in another event loop."""
        return await asyncio.wrap_future(self._submit(work))

    def stop(self) -> None:
        """Cancel the running coroutines and end the thread. Nothing can run afterwards."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._cancel_all)
            # a finalizer may run in this very thread, which cannot wait for itself
            if self._thread is not threading.current_thread():
                self._thread.join(JOIN_S)
        if not self._loop.is_running():
            self._loop.close()

    def _submit(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        # the thread starts with the first coroutine, so a client that asks nothing costs none
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        ended = asyncio.gather(*tasks, return_exceptions=True)
        ended.add_done_callback(lambda _: self._loop.stop())
