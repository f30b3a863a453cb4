"""The queue before an endpoint: how much is asked at once, how fast, and when nothing may be."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from datagen.errors import UserError
from datagen.teacher.endpoint.breaker import LONGEST_PROBE_S, PROBE_S, Breaker
from datagen.teacher.endpoint.level import Level
from datagen.teacher.endpoint.pace import Pace
from datagen.teacher.endpoint.transport import TOO_MANY, Failure

OVERLOAD = {TOO_MANY, 408, 503, 529}
"""Statuses that may mean that the endpoint is asked too much."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long an endpoint is waited for."""

    attempt_s: float = 300.0
    """Deadline of one attempt, in seconds."""
    request_s: float = 1800.0
    """Deadline of a request over all its attempts and the waits between them. Time in the queue is
    not counted."""
    retries: int = 8
    """Attempts that a request may lose before it fails for good. Those lost while the endpoint was
    down are free."""
    refusals: int = 60
    """The same for 429s, which say more about the load than about the request."""
    down_s: float = 600.0
    """How long an endpoint may be down before the run gives up."""


class Throttle:
    """The queue before an endpoint: first come, first served.

    A request that is asked again goes before new ones.
    """

    def __init__(
        self,
        where: str,
        ceiling: int,
        patience: Patience,
        *,
        say: Callable[[str], None] | None = None,
    ):
        self.where = where
        self.patience = patience
        self.level = Level(ceiling)
        self.pace = Pace()
        self.breaker = Breaker(ceiling)
        self.in_flight = 0
        self._say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._not_before = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._over: UserError | None = None

    @property
    def down(self) -> bool:
        return self.breaker.since is not None

    async def enter(self, *, again: bool = False) -> None:
        """Wait until one more may be asked.

        Raises UserError when the endpoint was down for too long.
        """
        if self._over:
            raise self._over
        turn = asyncio.get_running_loop().create_future()
        if again and not self.down:
            self._waiting.appendleft(turn)
        else:  # while it is down everyone has a turn at trying it
            self._waiting.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self.left()
            raise

    def answered(self, started: float) -> None:
        """An attempt that began at `started` brought an answer."""
        now = time.monotonic()
        if self.breaker.since is not None:
            self._not_before = now
            if self.breaker.announced:
                self._say(f"{self.where} is back after {now - self.breaker.since:.0f} s")
        self.breaker.answered()
        self.level.answered(started, now, full=self.in_flight >= self.level.limit)
        self.pace.answered(now)
        self.left()

    def failed(self, who: int, started: float, failure: Failure) -> None:
        """An attempt of request `who` failed."""
        now = time.monotonic()
        refused = failure.status == TOO_MANY
        if failure.status in OVERLOAD and not (refused and self.pace.refused(started, now)):
            self.level.overloaded(started, now, certain=refused)
        if self.breaker.failed(who, failure, now):
            self._not_before = now + PROBE_S
        self._announce(failure, now)
        self._not_before = max(self._not_before, now + (failure.retry_after or 0.0))
        self._give_up_if_hopeless(failure, now)
        self.left()

    def _announce(self, failure: Failure, now: float) -> None:
        if (
            self.breaker.since is not None
            and not self.breaker.announced
            and now - self.breaker.since >= PROBE_S
        ):
            self.breaker.announced = True
            self._say(
                f"{self.where} is down ({failure}): waiting for it, "
                f"{self.patience.down_s / 60:.0f} min at most"
            )

    def left(self) -> None:
        """An attempt ended, in whatever way."""
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        """Let those go that may."""
        now = time.monotonic()
        while (
            self._waiting and now >= self._next and (self.down or self.in_flight < self.level.limit)
        ):
            turn = self._waiting.popleft()
            if not turn.done():
                self._admit(now)
                turn.set_result(None)
        if self._waiting and now < self._next and self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(self._next - now, self._ring)

    @property
    def _next(self) -> float:
        return max(self._not_before, self.pace.next)

    def _admit(self, now: float) -> None:
        self.in_flight += 1
        self.pace.admitted(now)
        if self.down:  # one request at a time finds out whether it is back
            self._not_before = now + self.breaker.delay
            self.breaker.delay = min(2 * self.breaker.delay, LONGEST_PROBE_S)

    def _ring(self) -> None:
        self._alarm = None
        self._wake()

    def _give_up_if_hopeless(self, failure: Failure, now: float) -> None:
        again = "the same command goes on from here"
        if self.breaker.since is not None and now - self.breaker.since > self.patience.down_s:
            self._over = UserError(
                f"{self.where} has been down for {(now - self.breaker.since) / 60:.0f} min "
                f"({failure}): {again} later"
            )
        elif failure.retry_after and failure.retry_after > self.patience.down_s:
            self._over = UserError(
                f"{self.where} asks to wait {failure.retry_after / 60:.0f} min ({failure}): "
                f"{again} then"
            )
        while self._over and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(self._over)
