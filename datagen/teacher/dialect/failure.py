"""An attempt that brought no answer, but may bring one the next time."""

from __future__ import annotations


class Failure(Exception):
    """An attempt that brought no answer. Another attempt may succeed."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        unreachable: bool = False,
        retry_after: float | None = None,
    ):
        super().__init__(message)
        self.status = status
        """HTTP status: 0 if there was no reply, 408 if the deadline passed."""
        self.unreachable = unreachable
        """Whether there was no connection at all."""
        self.retry_after = retry_after
        """Seconds that the endpoint asks to wait."""

    @property
    def endpoint_at_fault(self) -> bool:
        """Whether the endpoint is unreachable, or a gateway says so.

        Any other request would have failed too.
        """
        return self.unreachable or self.status in {502, 503, 504}
