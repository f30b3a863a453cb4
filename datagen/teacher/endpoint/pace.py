"""Limiting the requests a second at an endpoint that has refused some with a 429."""

from __future__ import annotations

import math

FREE_REFUSALS = 3
"""The first 429s are left to the level, because the endpoint may limit the requests in flight."""
CUT_FACTOR = 0.85
"""A 429 multiplies the pace by this."""
MIN_ANSWERS = 16
"""If a 429 comes before this many answers since the last cut, the endpoint's limit is far lower."""
SHARP_CUT_FACTOR = 0.5
"""In that case a 429 multiplies the pace by this."""
GROW_S = 24.0
"""After this time without a 429 the pace is e times what it was."""
MAX_EXPONENT = 9.0
"""The largest exponent of the growth. At this pace the endpoint's limit must have been lifted."""
WINDOW_S = 60.0
"""Seconds over which recent answers are counted. Endpoints limit requests by the minute, so the
answers of a minute show the limit."""
BURST_S = 0.05
"""After a late timer, the delayed requests of at most this many seconds are sent at once."""


class Pace:
    """The requests a second: no limit until the first 429s, then a little less than what passed.

    A limit on requests a second says nothing about how many may be in flight. If some requests
    hang, many must be in flight. After a cut, the pace first grows slowly, near the limit, and then
    ever faster, like TCP's window.

    Source: CUBIC, RFC 9438, section 4.
    """

    def __init__(self) -> None:
        self.next = 0.0
        """When one more may be sent."""
        self._base = 0.0
        self._cut_at = 0.0
        self._refusals = 0
        self._answers = 0
        """Answers since the cut."""
        self._best_second = 0
        """Answers in the best second since the cut."""
        self._second_began = 0.0
        self._second_answers = 0
        self._window_began = 0.0
        self._recent_answers = 0.0
        """Answers since `_window_began`, which is half a minute to a minute ago."""

    def rate(self, now: float) -> float:
        """Return the allowed requests a second."""
        if not self._base:
            return math.inf
        return self._base * math.exp(min(((now - self._cut_at) / GROW_S) ** 2, MAX_EXPONENT))

    def admitted(self, now: float) -> None:
        """Count a request that is sent, and move the time of the next one."""
        if self._base:
            self.next = max(self.next, now - BURST_S) + 1 / self.rate(now)

    def answered(self, now: float) -> None:
        """Count an answer."""
        self._roll_windows(now)
        self._answers += 1
        self._second_answers += 1
        self._recent_answers += 1

    def refused(self, started: float, now: float) -> bool:
        """Count a 429, and return whether the pace is to blame for it.

        A 429 for a request from before the last cut says nothing new.
        """
        self._roll_windows(now)
        # the request was sent at the old pace, so its refusal is no news
        if started < self._cut_at:
            return bool(self._base)
        rate = self.rate(now)
        recent_rate = self._recent_answers / max(now - self._window_began, 1.0)
        self._refusals += 1
        if self._refusals > FREE_REFUSALS and self._answers >= MIN_ANSWERS:
            self._base = CUT_FACTOR * min(
                rate, max(self._best_second, self._second_answers, recent_rate)
            )
        elif self._base:
            self._base = max(SHARP_CUT_FACTOR * rate, min(rate, recent_rate))
        if self._base:
            self._best_second = self._answers = 0
        self._cut_at = now
        return bool(self._base)

    def _roll_windows(self, now: float) -> None:
        """Start new counts when a second is over, or a minute."""
        self._window_began = self._window_began or now
        if now - self._second_began >= 1:
            self._second_began = now
            self._best_second = max(self._best_second, self._second_answers)
            self._second_answers = 0
        if now - self._window_began >= WINDOW_S:
            # half of the window is kept, so that there is always a recent rate
            self._window_began = (now + self._window_began) / 2
            self._recent_answers /= 2
