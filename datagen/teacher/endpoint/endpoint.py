"""An endpoint that is asked until it answers: attempts, retries, and where to stop."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from datagen.errors import Unavailable
from datagen.json_bytes import dumps, loads_any
from datagen.teacher.endpoint.throttle import Patience, Throttle
from datagen.teacher.endpoint.transport import TOO_MANY, Failure, Transport

Answer = TypeVar("Answer")

FIRST_DELAY_S = 0.25
"""Seconds before the second attempt, about the time that a hiccup lasts. Each wait doubles it."""
LONGEST_DELAY_S = 30.0
"""By then an outage is a matter of minutes, and the breaker watches for its end."""


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
        """Post a body, again and again, until there is an answer.

        Args:
            path: Relative to the base URL.
            body: What is posted, as JSON.
            read: Makes the answer of a reply, or raises Failure for a reply that is none.

        Raises:
            Unavailable: All attempts were used up.
            Refused: Asking again is of no use.
            ContextExceeded: The text is longer than the model's context.
            UserError: The endpoint is down for good.
        """
        tries = Tries(next(self._numbers), self.patience)
        payload = dumps(body)
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
                    down = self.throttle.down and failure.endpoint_at_fault
                    delay = tries.delay(failure, time.monotonic() - started, free=down)
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
    """The attempts and seconds that a request has used."""

    who: int
    patience: Patience
    lost: int = 0
    """Attempts that failed otherwise."""
    refused: int = 0
    """Attempts that ended with a 429."""
    seconds: float = 0.0

    @property
    def attempts(self) -> int:
        return self.lost + self.refused

    def left(self) -> float:
        """Seconds that the next attempt may take."""
        return max(min(self.patience.attempt_s, self.patience.request_s - self.seconds), 0.1)

    def delay(self, failure: Failure, took: float, *, free: bool) -> float:
        """Seconds until the next attempt.

        Args:
            took: Seconds of the attempt that failed.
            free: The attempt does not count, because the endpoint was down.

        Raises:
            Unavailable: There is no next attempt.
        """
        if not free:
            self._count(failure, took)
        if failure.retry_after is not None:
            # the throttle holds everyone back for as long as the endpoint asked
            return random.uniform(0.0, 0.1)
        before = max(self.refused if failure.status == TOO_MANY else self.lost, 1) - 1
        longest = min(FIRST_DELAY_S * 2 ** min(before, 10), LONGEST_DELAY_S)
        seconds = longest * random.uniform(0.5, 1.0)
        self.seconds += 0.0 if free else seconds
        return seconds

    def _count(self, failure: Failure, took: float) -> None:
        self.seconds += took
        if failure.status == TOO_MANY:
            self.refused += 1
        else:
            self.lost += 1
        spent = self.lost > self.patience.retries or self.refused > self.patience.refusals
        if spent or self.seconds >= self.patience.request_s:
            raise Unavailable(
                f"no answer after {self.attempts} attempts in {self.seconds:.0f} s, "
                f"the last: {failure}"
            )


def parsed(content: bytes, read: Callable[[dict[str, Any]], Answer]) -> Answer:
    """What `read` makes of a JSON body.

    Raises:
        Failure: The body is broken, or has another shape than `read` expects.
    """
    try:
        return read(loads_any(content))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(f"the reply is no answer ({type(error).__name__})") from None
