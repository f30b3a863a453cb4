"""How much is asked at once, and when nothing may be: level, pace and breaker, and the queue before
them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from datagen.errors import UserError
from datagen.teacher.endpoint.pace import Pace
from datagen.teacher.endpoint.transport import TOO_MANY, Failure

START = 32
"""Requests in flight at first."""
ROUND = 16
"""Answers, at least, from which a level is judged."""
OVERLOAD = {TOO_MANY, 408, 503, 529}
"""Statuses that may mean that the endpoint is asked too much."""
LATE = 0.2
"""Share of a round's attempts that must end so before it counts as overload; a single 429 counts at
once."""
CUT = 0.7
"""What is left of the level after a sign of overload."""
WORTH = 0.15
"""A step up stays when it brings this share of the throughput that it would bring to an idle
endpoint."""
SLOWER = 2.0
"""Latency that is this many times what it was at the same level counts as overload."""
REST = 5
"""Rounds between two trials of a higher level."""
PROBE_S, LONGEST_PROBE_S = 0.5, 8.0
"""Seconds between two trials of an endpoint that is down, the first and the longest."""


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


class Level:
    """How many requests are in flight: up while that brings throughput, down at signs of overload.

    By Little's law throughput is level / latency, so latencies alone tell what a step brought. From
    START the level doubles; after the first step that brought nothing it tries a quarter more every
    REST rounds."""

    def __init__(self, ceiling: int):
        self.ceiling, self.limit = ceiling, min(START, ceiling)
        self._step, self._rest, self._least_s = 2.0, 0, 0.0
        self._before: tuple[int, float] | None = (
            None  # level and latency before the step that is on trial
        )
        self._usual: float | None = None  # latency at this level when it was settled
        self._since = self._cut_at = self._seconds = (
            0.0  # of the round: its begin, and the latencies so far
        )
        self._answers, self._signs, self._full = 0, 0, True

    def answered(self, started: float, now: float, *, full: bool) -> None:
        """An answer came. `full`: as many were in flight as may be."""
        if started < self._since:
            return
        self._answers, self._seconds, self._full = (
            self._answers + 1,
            self._seconds + now - started,
            self._full and full,
        )
        if self._answers >= max(ROUND, self.limit) and now - self._since >= self._least_s:
            self._judge(self._seconds / self._answers)
            self._begin(now)

    def overloaded(self, started: float, now: float, *, certain: bool) -> None:
        """A sign of overload. What was asked before the last cut says nothing about the new
        level."""
        if started < self._cut_at:
            return
        self._signs += 1
        if certain or self._signs >= LATE * max(ROUND, self.limit, self._answers + self._signs):
            self._cut()
            self._begin(now)
            self._cut_at = now

    def _begin(self, now: float) -> None:
        self._since, self._answers, self._seconds, self._full, self._signs = now, 0, 0.0, True, 0

    def _judge(self, latency: float) -> None:
        if not self._full:
            self._before = None  # too little work: this round tells nothing
        elif self._before and not self._brought(latency):
            (self.limit, self._usual), self._before = self._before, None
            self._step, self._rest = 1.25, REST
        elif self._usual and latency > SLOWER * self._usual:
            self._cut()
        elif self._rest or self.limit >= self.ceiling:
            self._rest, self._usual, self._before = (
                max(self._rest - 1, 0),
                self._usual or latency,
                None,
            )
        else:
            self._before, self._usual = (self.limit, latency), None
            self.limit = min(self.ceiling, max(self.limit + 1, int(self.limit * self._step)))

    def _brought(self, latency: float) -> bool:
        assert self._before
        level, before = self._before
        ideal = self.limit / level
        return ideal * before / latency >= 1 + WORTH * (ideal - 1)

    def _cut(self) -> None:
        self.limit = max(1, int(self.limit * CUT))
        self._step, self._rest, self._least_s = 1.25, REST, 1.0
        self._before = self._usual = None


class Breaker:
    """Open while the endpoint is down: it cannot be reached, or many requests in a row fail, each
    of them, or a gateway says so many times in a row, however few requests there are."""

    def __init__(self, ceiling: int):
        self._many = min(8, max(2, ceiling))
        self._failing: set[int] = set()
        self._at_fault = 0
        self.since: float | None = None
        """When it opened; None while it is closed."""
        self.delay = PROBE_S
        self.announced = False
        """Whether it was said: a moment's failure is not worth a line."""

    def failed(self, who: int, failure: Failure, now: float) -> bool:
        """Whether this failure opened it. A 429 is an answer: it opens nothing."""
        if failure.status == TOO_MANY:
            return False
        self._failing.add(who)
        self._at_fault += failure.endpoint_at_fault
        many = max(len(self._failing), self._at_fault) >= self._many
        if self.since is None and (failure.unreachable or many):
            self.since, self.delay, self.announced = now, PROBE_S, False
            return True
        return False

    def answered(self) -> None:
        self._failing.clear()
        self._at_fault, self.since = 0, None


class Throttle:
    """The queue before an endpoint: first come, first served; a request that is asked again goes
    before new ones."""

    def __init__(
        self,
        where: str,
        ceiling: int,
        patience: Patience,
        *,
        say: Callable[[str], None] | None = None,
    ):
        self.where, self.patience = where, patience
        self.level, self.pace, self.breaker = Level(ceiling), Pace(), Breaker(ceiling)
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
        """Wait until one more may be asked. Raises UserError when the endpoint was down for too
        long."""
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
        """Let go who may."""
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
