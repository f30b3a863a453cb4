"""Whether an endpoint is down."""

from __future__ import annotations

from datagen.teacher.endpoint.transport import TOO_MANY, Failure

PROBE_S = 0.5
"""Seconds before the first trial of an endpoint that is down: it may have been a hiccup."""
LONGEST_PROBE_S = 8.0
"""Seconds between two trials at most, so that a run goes on soon after the endpoint is back."""
MANY = 8
"""Requests in a row that fail when an endpoint counts as down; fewer could be bad requests."""


class Breaker:
    """Open while the endpoint is down.

    It opens when the endpoint cannot be reached, when many different requests fail in a row, or
    when a gateway says many times in a row that nobody is there, however few requests there are.
    """

    def __init__(self, ceiling: int):
        self._many = min(MANY, max(2, ceiling))
        self._failing: set[int] = set()
        self._at_fault = 0
        self.since: float | None = None
        """When it opened; None while it is closed."""
        self.delay = PROBE_S
        self.announced = False
        """Whether the user was told. A failure of a moment is not worth a line."""

    def failed(self, who: int, failure: Failure, now: float) -> bool:
        """Whether this failure opened it. A 429 is an answer and opens nothing."""
        if failure.status == TOO_MANY:
            return False
        self._failing.add(who)
        self._at_fault += failure.endpoint_at_fault
        many = max(len(self._failing), self._at_fault) >= self._many
        if self.since is None and (failure.unreachable or many):
            self.since = now
            self.delay = PROBE_S
            self.announced = False
            return True
        return False

    def answered(self) -> None:
        self._failing.clear()
        self._at_fault = 0
        self.since = None
