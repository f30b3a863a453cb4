"""An endpoint that is asked until it has answered: attempts, retries, and where to stop."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from datagen.json_bytes import dumps, loads_any
from datagen.teacher.base import TeacherError
from datagen.teacher.throttle import Patience, Throttle
from datagen.teacher.transport import TOO_MANY, Failure, Transport

Answer = TypeVar("Answer")

FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 30.0


class Endpoint:
    """One base URL. `concurrency` is the most that is in flight at any time."""

    def __init__(self, url: str, key: str, *, concurrency: int, patience: Patience):
        self.transport = Transport(url, key)
        self.throttle = Throttle(self.transport.url, concurrency, patience)
        self.patience = patience
        self._numbers = itertools.count()
        self._asking: set[asyncio.Task[Any]] = set()

    async def ask(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]
    ) -> Answer:
        """Post until `read` makes something of a reply. `read` raises Failure for a reply that is
        no answer.

        Raises TeacherError when its tries are spent, Refused when asking again is no use, UserError
        when the endpoint is down for good."""
        tries, payload = Tries(next(self._numbers), self.patience), dumps(body)
        me = asyncio.current_task()
        assert me is not None
        self._asking.add(me)
        try:
            while True:
                await self.throttle.enter(again=tries.attempts > 0)
                started = time.monotonic()
                try:
                    content = await self.transport.send("POST", path, payload, timeout=tries.left())
                    answer = parsed(content, read)
                except Failure as failure:
                    self.throttle.failed(tries.who, started, failure)
                    delay = tries.delay(
                        failure,
                        time.monotonic() - started,
                        free=self.throttle.down and failure.endpoint_at_fault,
                    )
                except BaseException:
                    self.throttle.left()
                    raise
                else:
                    self.throttle.answered(started)
                    return answer
                await asyncio.sleep(delay)
        finally:
            self._asking.discard(me)

    async def close(self) -> None:
        """End what is in flight, and the connections."""
        asking = list(self._asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self.transport.close()


@dataclass
class Tries:
    """What a request has spent so far."""

    who: int
    patience: Patience
    lost: int = 0
    refused: int = 0
    """By 429s."""
    seconds: float = 0.0

    @property
    def attempts(self) -> int:
        return self.lost + self.refused

    def left(self) -> float:
        """Seconds that the next attempt may take."""
        return max(min(self.patience.attempt_s, self.patience.request_s - self.seconds), 0.1)

    def delay(self, failure: Failure, took: float, *, free: bool) -> float:
        """Seconds until the next attempt. Raises TeacherError when there is none."""
        if not free:
            self._count(failure, took)
        if failure.retry_after is not None:
            return random.uniform(
                0.0, 0.1
            )  # the throttle holds everyone back for as long as the endpoint asked
        before = max(self.refused if failure.status == TOO_MANY else self.lost, 1) - 1
        seconds = min(FIRST_DELAY_S * 2 ** min(before, 10), LONGEST_DELAY_S) * random.uniform(
            0.5, 1.0
        )
        self.seconds += 0.0 if free else seconds
        return seconds

    def _count(self, failure: Failure, took: float) -> None:
        self.seconds += took
        refused = failure.status == TOO_MANY
        self.refused, self.lost = self.refused + refused, self.lost + (not refused)
        spent = self.lost > self.patience.retries or self.refused > self.patience.refusals
        if spent or self.seconds >= self.patience.request_s:
            raise TeacherError(
                f"no answer after {self.attempts} attempts in {self.seconds:.0f} s, the last: {failure}"
            )


def parsed(content: bytes, read: Callable[[dict[str, Any]], Answer]) -> Answer:
    """What `read` makes of a JSON body. Raises Failure for a body that is broken or shaped
    otherwise."""
    try:
        return read(loads_any(content))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(f"the reply is no answer ({type(error).__name__})") from None
