"""How many requests a second an endpoint is asked, once it has said that they are too many."""

from __future__ import annotations

import math

FIRST = 3
"""Refusals that are left to the level: there may be a limit of how many are in flight."""
CUT = 0.85
"""What is left of the pace after a 429."""
ENOUGH, SHARP_CUT = 16, 0.5
"""After a 429 before so many answers the endpoint's limit is far below."""
GROW_S = 24.0
"""After this time without a 429 the pace is e times what it was."""
MOST = 9.0
"""Of the exponent: by then the limit must have been lifted."""
LATELY_S = 60.0
"""A limit of so many a minute is met within the minute, or known by what went through in it."""
BURST_S = 0.05
"""What was not sent because a timer was late may be sent at once, as much as falls into this
time."""


class Pace:
    """Any pace until the first 429, then a bit less than what went through.

    A limit by time says nothing of how many may be in flight: where some requests hang, many must
    be. After a cut the pace grows little at first, near the limit, then ever faster, as TCP's
    window does (CUBIC, RFC 9438, section 4)."""

    def __init__(self) -> None:
        self.next = 0.0
        """When one more may be sent."""
        self._base = self._cut_at = 0.0
        self._refusals = 0
        self._through = self._best = 0  # answers since the cut, and in its best second
        self._second, self._in_second = 0.0, 0
        self._since, self._lately = 0.0, 0.0  # answers of the last half a minute to a minute

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
        """A 429; whether it is a matter of pace. One for what was asked before the last says
        nothing new."""
        self._turn(now)
        if started < self._cut_at:
            return bool(self._base)
        rate, lately = self.rate(now), self._lately / max(now - self._since, 1.0)
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
        """Begin to count anew where a second is over, or a minute."""
        self._since = self._since or now
        if now - self._second >= 1:
            self._second, self._best, self._in_second = now, max(self._best, self._in_second), 0
        if now - self._since >= LATELY_S:
            self._since, self._lately = (now + self._since) / 2, self._lately / 2
