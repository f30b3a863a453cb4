"""The queue of requests before an endpoint: how many, how fast, and when none may be sent."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from datagen.errors import UserError
from datagen.teacher.dialect.errors import TOO_MANY
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint.breaker import MAX_PROBE_S, PROBE_S, Breaker
from datagen.teacher.endpoint.level import Level
from datagen.teacher.endpoint.pace import Pace
from datagen.terminal import show

OVERLOAD = {TOO_MANY, 408, 503, 529}
"""Statuses that may mean that the endpoint is asked too much."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for an endpoint."""

    attempt_s: float = 300.0
    """Deadline of one attempt, in seconds."""
    request_s: float = 1800.0
    """Deadline of a request over all its attempts and the waits between them. Time in the queue is
    not counted."""
    retries: int = 8
    """Failed attempts that a request may have before it fails for good. Attempts while the endpoint
    was down do not count."""
    refusals: int = 60
    """The same for 429s. There may be more of them, because they are caused by the load."""
    down_s: float = 600.0
    """Seconds that an endpoint may be down before the run stops."""


class Throttle:
    """A queue before an endpoint, first come, first served. Retried requests go before new ones."""

    def __init__(
        self,
        where: str,
        ceiling: int,
        patience: Patience,
        *,
        log: Callable[[str], None] | None = None,
    ):
        self.where = where
        self.patience = patience
        self.level = Level(ceiling)
        self.pace = Pace()
        self.breaker = Breaker(ceiling)
        self.in_flight = 0
        self._log = log or (lambda line: show(line, error=True))
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._not_before = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._fatal_error: UserError | None = None

    @property
    def down(self) -> bool:
        return self.breaker.since is not None

    async def enter(self, *, again: bool = False) -> None:
        """Wait until this request may be sent.

        Args:
            again: whether the request was sent before.

        Raises:
            UserError: the endpoint was down for too long.
        """
        if self._fatal_error:
            raise self._fatal_error
        turn = asyncio.get_running_loop().create_future()
        if again and not self.down:
            self._waiting.appendleft(turn)
        else:
            # during an outage all requests take turns at trying the endpoint
            self._waiting.append(turn)
        self._admit_waiting()
        try:
            await turn
        except asyncio.CancelledError:
            # the task was cancelled after it was admitted: its place must be given back
            if turn.done() and not turn.cancelled() and not turn.exception():
                self.leave()
            raise

    def answered(self, started: float) -> None:
        """Record that an attempt that began at `started` brought an answer."""
        now = time.monotonic()
        if self.breaker.since is not None:
            self._not_before = now
            if self.breaker.announced:
                self._log(f"{self.where} is back after {now - self.breaker.since:.0f} s")
        self.breaker.answered()
        self.level.answered(started, now, full=self.in_flight >= self.level.limit)
        self.pace.answered(now)
        self.leave()

    def failed(self, who: int, started: float, failure: Failure) -> None:
        """Record that an attempt of request `who`, which began at `started`, failed."""
        now = time.monotonic()
        refused = failure.status == TOO_MANY
        if failure.status in OVERLOAD and not (refused and self.pace.refused(started, now)):
            self.level.overloaded(started, now, certain=refused)
        # an endpoint that has just gone down is left alone for a moment
        if self.breaker.failed(who, failure, now):
            self._not_before = now + PROBE_S
        self._announce(failure, now)
        self._not_before = max(self._not_before, now + (failure.retry_after or 0.0))
        self._give_up_if_hopeless(failure, now)
        self.leave()

    def _announce(self, failure: Failure, now: float) -> None:
        """Tell the user, once, that the endpoint is down."""
        if (
            self.breaker.since is not None
            and not self.breaker.announced
            and now - self.breaker.since >= PROBE_S
        ):
            self.breaker.announced = True
            self._log(
                f"{self.where} is down ({failure}): waiting for it, "
                f"{self.patience.down_s / 60:.0f} min at most"
            )

    def leave(self) -> None:
        """Record that an attempt has ended, for whatever reason."""
        self.in_flight -= 1
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        """Let waiting requests go, as many as level and pace allow."""
        now = time.monotonic()
        while (
            self._waiting
            and now >= self._next_time
            and (self.down or self.in_flight < self.level.limit)
        ):
            turn = self._waiting.popleft()
            if not turn.done():
                self._admit(now)
                turn.set_result(None)
        if self._waiting and now < self._next_time and self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(
                self._next_time - now, self._on_alarm
            )

    @property
    def _next_time(self) -> float:
        return max(self._not_before, self.pace.next)

    def _admit(self, now: float) -> None:
        self.in_flight += 1
        self.pace.admitted(now)
        # during an outage one request at a time finds out whether the endpoint is back
        if self.down:
            self._not_before = now + self.breaker.delay
            self.breaker.delay = min(2 * self.breaker.delay, MAX_PROBE_S)

    def _on_alarm(self) -> None:
        self._alarm = None
        self._admit_waiting()

    def _give_up_if_hopeless(self, failure: Failure, now: float) -> None:
        """Fail all waiting requests if the endpoint was down for too long."""
        if self.breaker.since is not None and now - self.breaker.since > self.patience.down_s:
            self._fatal_error = UserError(
                f"{self.where} has been down for {(now - self.breaker.since) / 60:.0f} min "
                f"({failure}): run the same command later to continue"
            )
        elif failure.retry_after and failure.retry_after > self.patience.down_s:
            self._fatal_error = UserError(
                f"{self.where} asks to wait {failure.retry_after / 60:.0f} min ({failure}): "
                "run the same command then to continue"
            )
        while self._fatal_error and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(self._fatal_error)
