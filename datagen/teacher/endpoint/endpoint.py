"""An endpoint that is asked until it answers: attempts, waits between them, and when to stop."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from datagen.errors import ContextExceeded, Refused, Unavailable
from datagen.json_bytes import dumps, loads_any
from datagen.teacher.dialect.errors import TOO_MANY, page_title
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint.throttle import Patience, Throttle

Answer = TypeVar("Answer")

FIRST_DELAY_S = 0.25
"""Seconds before the second attempt, about as long as a short disturbance. Each wait doubles it."""
LONGEST_DELAY_S = 30.0
"""Most seconds before an attempt. A longer outage is handled by the breaker."""


class Sender(Protocol):
    """What an endpoint is asked through, such as `Transport`."""

    where: str
    """The address, as messages may show it."""

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, timeout: float
    ) -> bytes:
        """Return the body of a reply. `Transport.send` describes the arguments and errors."""
        ...

    def redact(self, error: object) -> str:
        """Return an error as one line without secrets."""
        ...

    async def close(self) -> None: ...


class Endpoint:
    """One server. At most `concurrency` requests are in flight at any time."""

    def __init__(self, transport: Sender, *, concurrency: int, patience: Patience):
        self.transport = transport
        self.throttle = Throttle(transport.where, concurrency, patience)
        self.patience = patience
        self._numbers = itertools.count()
        self._asking: set[asyncio.Task[Any]] = set()

    async def ask(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]
    ) -> Answer:
        """Post a body, with retries, and return the answer.

        Args:
            path: the path, as `Address.url` takes it.
            body: what is posted, as JSON.
            read: makes the answer of a reply. It raises Failure for a reply that is no answer.

        Raises:
            Unavailable: all attempts were used up.
            Refused: asking again is of no use.
            ContextExceeded: the text is longer than the model's context.
            UserError: the endpoint is down for good.
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
                    content = await self.transport.send(
                        "POST", path, payload, timeout=tries.seconds_left()
                    )
                    answer = parsed(content, read, self.transport.redact)
                except Failure as failure:
                    self.throttle.failed(tries.who, started, failure)
                    # attempts during an outage are free: the request is not to blame
                    down = self.throttle.down and failure.endpoint_at_fault
                    delay = tries.delay(failure, time.monotonic() - started, free=down)
                except BaseException:
                    self.throttle.leave()
                    raise
                else:
                    self.throttle.answered(started)
                    return answer
                await asyncio.sleep(delay)
        finally:
            self._asking.discard(me)

    async def close(self) -> None:
        """Cancel the requests in flight, and close the connections."""
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
    """Attempts that failed for another reason than a 429."""
    refused: int = 0
    """Attempts that ended with a 429."""
    seconds: float = 0.0
    """Seconds of all attempts that counted, and of the waits between them."""

    @property
    def attempts(self) -> int:
        """How many attempts have failed."""
        return self.lost + self.refused

    def seconds_left(self) -> float:
        """Return the seconds that the next attempt may take."""
        return max(min(self.patience.attempt_s, self.patience.request_s - self.seconds), 0.1)

    def delay(self, failure: Failure, took: float, *, free: bool) -> float:
        """Return the seconds until the next attempt.

        Args:
            failure: why the last attempt failed.
            took: the seconds that it took.
            free: the attempt does not count, because the endpoint was down.

        Raises:
            Unavailable: there is no next attempt.
        """
        if not free:
            self._count(failure, took)
        if failure.retry_after is not None:
            # the throttle holds everyone back for as long as the endpoint asked
            return random.uniform(0.0, 0.1)
        # 429s and other failures double their waits separately
        before = max(self.refused if failure.status == TOO_MANY else self.lost, 1) - 1
        longest = min(FIRST_DELAY_S * 2 ** min(before, 10), LONGEST_DELAY_S)
        # random, so that requests that failed together are not sent again together
        seconds = longest * random.uniform(0.5, 1.0)
        self.seconds += 0.0 if free else seconds
        return seconds

    def _count(self, failure: Failure, took: float) -> None:
        """Count a failed attempt.

        Raises:
            Unavailable: no attempt or no time is left.
        """
        self.seconds += took
        if failure.status == TOO_MANY:
            self.refused += 1
        else:
            self.lost += 1
        spent = self.lost > self.patience.retries or self.refused > self.patience.refusals
        if spent or self.seconds >= self.patience.request_s:
            # the caller rejects the row as failed, and the next run asks again
            raise Unavailable(
                f"no answer after {self.attempts} attempts in {self.seconds:.0f} s, "
                f"the last: {failure}"
            )


def parsed(
    content: bytes, read: Callable[[dict[str, Any]], Answer], redact: Callable[[object], str]
) -> Answer:
    """Return what `read` makes of a JSON body.

    Args:
        content: the body.
        read: makes the answer.
        redact: makes an error a line without secrets. A reply with an error can repeat them.

    Raises:
        Failure: the body is broken, or has another shape than `read` expects.
        Refused: the server says that it will not answer.
        ContextExceeded: the text is longer than the model's context.
    """
    try:
        return read(loads_any(content))
    except Failure as failure:
        raise Failure(redact(failure), status=failure.status) from None
    except Refused as error:
        raise Refused(redact(error), status=error.status) from None
    except ContextExceeded as error:
        raise ContextExceeded(redact(error)) from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Failure(redact(what_it_is(content, error))) from None


def what_it_is(content: bytes, error: Exception) -> str:
    """Return what a body is that could not be read as an answer."""
    if not content.strip():
        return "an empty reply"
    if page := page_title(content[:100_000].decode("utf-8", "replace")):
        return f"{page} instead of an answer: check OPENAI_BASE_URL, and any proxy"
    if content.lstrip().startswith((b"data:", b"event:")):
        return "a stream of events instead of one answer"
    return f"the reply is no answer ({type(error).__name__})"
