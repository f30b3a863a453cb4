"""How many requests a second an endpoint is asked, once it has said that they are too many."""

from __future__ import annotations

import math

FIRST = 3
"""Refusals that the level handles: the endpoint may limit how many are in flight."""
CUT = 0.85
"""What is left of the pace after a 429."""
ENOUGH = 16
"""A 429 before so many answers since the last cut: the endpoint's limit is far below."""
SHARP_CUT = 0.5
"""What is left of the pace then."""
GROW_S = 24.0
"""After this time without a 429 the pace is e times what it was."""
MOST = 9.0
"""Largest exponent of the growth: by then the limit must have been lifted."""
LATELY_S = 60.0
"""A limit by the minute is met within the minute, or known by what went through in it."""
BURST_S = 0.05
"""Requests that were not sent because a timer was late are sent at once, as many as fall into this
time."""


class Pace:
    """Any pace until the first 429s, then a little less than what went through.

    A limit by time says nothing about how many may be in flight: if some requests hang, many must
    be. After a cut the pace first grows slowly, near the limit, then ever faster, as TCP's window
    does.

    Source: CUBIC, RFC 9438, section 4.
    """

    def __init__(self) -> None:
        self.next = 0.0
        """When one more may be sent."""
        self._base = 0.0
        self._cut_at = 0.0
        self._refusals = 0
        self._through = 0
        """Answers since the cut."""
        self._best = 0
        """Answers in the best second since the cut."""
        self._second = 0.0
        self._in_second = 0
        self._since = 0.0
        self._lately = 0.0
        """Answers since `_since`: of the last half a minute to a minute."""

    def rate(self, now: float) -> float:
        """Requests a second."""
        if not self._base:
            return math.inf
        return self._base * math.exp(min(((now - self._cut_at) / GROW_S) ** 2, MOST))

    def admitted(self, now: float) -> None:
        if self._base:
            self.next = max(self.next, now - BURST_S) + 1 / self.rate(now)

    def answered(self, now: float) -> None:
        self._turn(now)
        self._through += 1
        self._in_second += 1
        self._lately += 1

    def refused(self, started: float, now: float) -> bool:
        """A 429 came.

        Returns whether it is a matter of pace. One for a request from before the last cut says
        nothing new.
        """
        self._turn(now)
        if started < self._cut_at:
            return bool(self._base)
        rate = self.rate(now)
        lately = self._lately / max(now - self._since, 1.0)
        self._refusals += 1
        if self._refusals > FIRST and self._through >= ENOUGH:
            self._base = CUT * min(rate, max(self._best, self._in_second, lately))
        elif self._base:
            self._base = max(SHARP_CUT * rate, min(rate, lately))
        if self._base:
            self._best = self._through = 0
        self._cut_at = now
        return bool(self._base)

    def _turn(self, now: float) -> None:
        """Begin to count anew when a second is over, or a minute."""
        self._since = self._since or now
        if now - self._second >= 1:
            self._second = now
            self._best = max(self._best, self._in_second)
            self._in_second = 0
        if now - self._since >= LATELY_S:
            self._since = (now + self._since) / 2
            self._lately /= 2
