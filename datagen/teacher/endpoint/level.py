"""How many requests are in flight at an endpoint."""

from __future__ import annotations

START = 32
"""Requests in flight at first: most endpoints take as many."""
ROUND = 16
"""Answers, at least, from which a level is judged. Fewer latencies would be chance."""
LATE = 0.2
"""Share of a round's attempts that must end so before it counts as overload. A single 429 counts at
once."""
CUT = 0.7
"""What is left of the level after a sign of overload, about TCP's multiplicative decrease."""
WORTH = 0.15
"""A step up stays when it brings this share of the throughput that it would bring to an idle
endpoint."""
SLOWER = 2.0
"""Latency that is this many times what it was at the same level counts as overload."""
REST = 5
"""Rounds between two trials of a higher level."""
FIRST_STEP = 2.0
"""The level doubles until a step brings nothing."""
LATER_STEP = 1.25
"""After that, or after a cut, a trial takes a quarter more."""


class Level:
    """The most requests in flight: up while that brings throughput, down at signs of overload.

    By Little's law throughput is level / latency, so latencies alone say what a step brought.
    """

    def __init__(self, ceiling: int):
        self.ceiling = ceiling
        self.limit = min(START, ceiling)
        self._step = FIRST_STEP
        self._rest = 0
        self._least_s = 0.0
        self._before: tuple[int, float] | None = None
        """Level and latency before the step that is on trial."""
        self._usual: float | None = None
        """Latency at this level when it was settled."""
        self._cut_at = 0.0
        self._full = True
        """Whether as many were in flight as may be, in all of the round."""
        self._begin(0.0)

    def answered(self, started: float, now: float, *, full: bool) -> None:
        """An answer came. `full`: as many were in flight as may be."""
        if started < self._since:
            return
        self._answers += 1
        self._seconds += now - started
        self._full = self._full and full
        if self._answers >= max(ROUND, self.limit) and now - self._since >= self._least_s:
            self._judge(self._seconds / self._answers)
            self._begin(now)

    def overloaded(self, started: float, now: float, *, certain: bool) -> None:
        """A sign of overload.

        An attempt that began before the last cut says nothing about the new level.
        """
        if started < self._cut_at:
            return
        self._signs += 1
        if certain or self._signs >= LATE * max(ROUND, self.limit, self._answers + self._signs):
            self._cut()
            self._begin(now)
            self._cut_at = now

    def _begin(self, now: float) -> None:
        """Begin a round."""
        self._since = now
        self._seconds = 0.0
        self._answers = 0
        self._signs = 0
        self._full = True

    def _judge(self, latency: float) -> None:
        if not self._full:
            self._before = None  # too little work: this round says nothing
        elif self._before and not self._brought(latency):
            self.limit, self._usual = self._before
            self._before = None
            self._step = LATER_STEP
            self._rest = REST
        elif self._usual and latency > SLOWER * self._usual:
            self._cut()
        elif self._rest or self.limit >= self.ceiling:
            self._rest = max(self._rest - 1, 0)
            self._usual = self._usual or latency
            self._before = None
        else:
            self._before = (self.limit, latency)
            self._usual = None
            self.limit = min(self.ceiling, max(self.limit + 1, int(self.limit * self._step)))

    def _brought(self, latency: float) -> bool:
        """Whether the step on trial brought enough throughput."""
        assert self._before
        level, before = self._before
        ideal = self.limit / level
        return ideal * before / latency >= 1 + WORTH * (ideal - 1)

    def _cut(self) -> None:
        self.limit = max(1, int(self.limit * CUT))
        self._step = LATER_STEP
        self._rest = REST
        self._least_s = 1.0
        self._before = None
        self._usual = None
