"""Deciding whether an endpoint is down."""

from __future__ import annotations

from datagen.teacher.dialect.errors import TOO_MANY
from datagen.teacher.dialect.failure import Failure

PROBE_S = 0.5
"""Seconds before the first trial of an endpoint that is down. Many outages last only a moment."""
MAX_PROBE_S = 8.0
"""Most seconds between two trials. A run should continue soon after the endpoint is back."""
MAX_FAILURES = 8
"""An endpoint counts as down after this many failed requests in a row. Fewer could be bad
requests."""


class Breaker:
    """A circuit breaker: it is open while the endpoint is down.

    It opens in three cases: the endpoint cannot be reached, many different requests fail in a row,
    or a gateway says many times in a row that the server is gone, even for only a few requests.
    """

    def __init__(self, ceiling: int):
        # with few requests in flight, so many different ones can never fail at once
        self._most_failures = min(MAX_FAILURES, max(2, ceiling))
        self._failing: set[int] = set()
        self._endpoint_faults = 0
        self.since: float | None = None
        """When it opened; None while it is closed."""
        self.delay = PROBE_S
        self.announced = False
        """Whether the user was told. An outage of a moment is not reported."""

    def failed(self, who: int, failure: Failure, now: float) -> bool:
        """Return whether this failure opened the breaker. A 429 is an answer, so it never does."""
        if failure.status == TOO_MANY:
            return False
        self._failing.add(who)
        self._endpoint_faults += failure.endpoint_at_fault
        many = max(len(self._failing), self._endpoint_faults) >= self._most_failures
        if self.since is None and (failure.unreachable or many):
            self.since = now
            self.delay = PROBE_S
            self.announced = False
            return True
        return False

    def answered(self) -> None:
        """Close the breaker: an answer came."""
        self._failing.clear()
        self._endpoint_faults = 0
        self.since = None
