"""Deciding how many requests may be in flight at an endpoint."""

from __future__ import annotations

START_LEVEL = 32
"""Requests in flight at first. Most endpoints can take this many."""
ROUND_ANSWERS = 16
"""The least answers from which a level is judged. The mean of fewer latencies is too noisy."""
OVERLOAD_SHARE = 0.2
"""Overload is this share of a round's attempts with a sign of overload. A single 429 is enough by
itself."""
CUT_FACTOR = 0.7
"""Overload multiplies the level by this. TCP's multiplicative decrease is about the same."""
MIN_GAIN = 0.15
"""A step up is kept if it gains at least this share of the ideal gain. The ideal is a throughput in
proportion to the level, as at an idle endpoint."""
SLOWDOWN = 2.0
"""A latency this many times as high as before, at the same level, counts as overload."""
REST_ROUNDS = 5
"""Rounds between two trials of a higher level."""
FIRST_STEP = 2.0
"""At first the level doubles, until a step gains too little."""
SMALL_STEP = 1.25
"""After that, or after a cut, a step is a quarter."""


class Level:
    """The most requests in flight. It rises while that raises throughput, and falls at overload.

    By Little's law, throughput is level / latency. So the latencies alone show what a step gained.
    """

    def __init__(self, ceiling: int):
        self.ceiling = ceiling
        self.limit = min(START_LEVEL, ceiling)
        self._step = FIRST_STEP
        self._rest_rounds = 0
        self._min_round_s = 0.0
        self._before_step: tuple[int, float] | None = None
        """Level and latency before the step that is on trial."""
        self._settled_latency: float | None = None
        """The latency at this level in its first round without a trial."""
        self._cut_at = 0.0
        self._always_full = True
        """Whether as many requests as allowed were in flight during the whole round."""
        self._begin(0.0)

    def answered(self, started: float, now: float, *, full: bool) -> None:
        """Count an answer.

        Args:
            started: when the attempt began.
            now: when the answer came.
            full: whether as many requests were in flight as allowed.
        """
        # the attempt began in an earlier round, perhaps at another level
        if started < self._since:
            return
        self._answers += 1
        self._seconds += now - started
        self._always_full = self._always_full and full
        if (
            self._answers >= max(ROUND_ANSWERS, self.limit)
            and now - self._since >= self._min_round_s
        ):
            self._judge(self._seconds / self._answers)
            self._begin(now)

    def overloaded(self, started: float, now: float, *, certain: bool) -> None:
        """Count a sign of overload.

        An attempt that began before the last cut says nothing about the new level.

        Args:
            started: when the attempt began.
            now: when it ended.
            certain: whether this one sign is enough for a cut.
        """
        if started < self._cut_at:
            return
        self._signs += 1
        if certain or self._signs >= OVERLOAD_SHARE * max(
            ROUND_ANSWERS, self.limit, self._answers + self._signs
        ):
            self._cut()
            self._begin(now)
            self._cut_at = now

    def _begin(self, now: float) -> None:
        """Start a new round: reset its counts."""
        self._since = now
        self._seconds = 0.0
        self._answers = 0
        self._signs = 0
        self._always_full = True

    def _judge(self, latency: float) -> None:
        """Choose the next level from the mean latency, in seconds, of a round."""
        if not self._always_full:
            # too little work: the latency of this round says nothing about the level
            self._before_step = None
        elif self._before_step and not self._step_paid_off(latency):
            self.limit, self._settled_latency = self._before_step
            self._before_step = None
            self._step = SMALL_STEP
            self._rest_rounds = REST_ROUNDS
        elif self._settled_latency and latency > SLOWDOWN * self._settled_latency:
            self._cut()
        elif self._rest_rounds or self.limit >= self.ceiling:
            self._rest_rounds = max(self._rest_rounds - 1, 0)
            self._settled_latency = self._settled_latency or latency
            self._before_step = None
        else:
            self._before_step = (self.limit, latency)
            self._settled_latency = None
            self.limit = min(self.ceiling, max(self.limit + 1, int(self.limit * self._step)))

    def _step_paid_off(self, latency: float) -> bool:
        """Return whether the step on trial raised the throughput enough."""
        assert self._before_step
        level, before = self._before_step
        ideal = self.limit / level
        return ideal * before / latency >= 1 + MIN_GAIN * (ideal - 1)

    def _cut(self) -> None:
        """Lower the level after overload."""
        self.limit = max(1, int(self.limit * CUT_FACTOR))
        self._step = SMALL_STEP
        self._rest_rounds = REST_ROUNDS
        self._min_round_s = 1.0
        self._before_step = None
        self._settled_latency = None
