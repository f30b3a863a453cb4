"""Show the progress of a run: a bar in a terminal, one line in a notebook, lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from datagen.terminal import show

LOG_EVERY_S = 15.0
"""Seconds between two lines of a log. A run of ten hours writes 2,400 lines."""
REDRAW_EVERY_S = 0.5
"""Seconds between two updates of the line in a notebook. Each one is a message to the browser."""


@dataclass
class Meter:
    """The state of a run that its progress line shows.

    Args:
        label: The name of the work.
        total: The number of items that will be done in the end.
        done: The number of items that are done.
        counts: Returns further numbers for the line. It is called whenever the line is drawn.
        started: The time of the start, in seconds of `time.monotonic`.
    """

    label: str
    total: int
    done: int = 0
    counts: Callable[[], Mapping[str, int]] = dict
    started: float = 0.0
    _at_start: int = 0
    _drawn: float = 0.0
    _in_notebook: bool = False
    _width: int = 0

    def line(self) -> str:
        """Return the progress line.

        `420/1,000 · 35.0 rows/s · accepted 300 · rejected 41 · 12,345 tokens · 0:17 left`
        """
        # A resumed run begins with items that are done. They say nothing about its speed.
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = (self.done - self._at_start) / seconds
        left = clock((self.total - self.done) / rate) if rate else "?"
        counts = [f"{name} {number:,}" for name, number in self.counts().items()]
        return " · ".join(
            [f"{self.done:,}/{self.total:,}", f"{rate:.1f} rows/s", *counts, f"{left} left"]
        )

    def advance(self, by: int = 1) -> None:
        """Count `by` more items as done, and draw the line if it is due."""
        self.done += by
        self.draw()

    def draw(self) -> None:
        """Write the line to standard error, unless the last one was written a moment ago."""
        now = time.monotonic()
        if now - self._drawn < (REDRAW_EVERY_S if self._in_notebook else LOG_EVERY_S):
            return
        self._drawn = now
        if self._in_notebook:
            self.redraw()
        else:
            show(f"{self.label}: {self.line()}", error=True)

    def redraw(self) -> None:
        """Write the line over the one before."""
        text = f"{self.label}: {self.line()}"
        # A carriage return clears nothing. Spaces cover the rest of a longer line.
        print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
        self._width = len(text)


@contextmanager
def meter(
    label: str, total: int, *, done: int = 0, counts: Callable[[], Mapping[str, int]] = dict
) -> Iterator[Meter]:
    """Show progress while the block runs.

    In a terminal this is a bar. In a notebook it is one line, redrawn twice a second. Elsewhere it
    is a line of the log every 15 seconds.

    Args:
        label: The name of the work.
        total: The number of items that will be done in the end.
        done: The number of items that are done already.
        counts: Returns further numbers to show.

    Yields:
        The meter. Its `advance` counts items.

    Example:
        >>> with meter("rationales", 2) as progress:
        ...     progress.advance()
        >>> progress.done
        1
    """
    now = time.monotonic()
    state = Meter(label, total, done, counts, started=now, _at_start=done, _drawn=now)
    if sys.stderr.isatty():
        with bar(state):
            yield state
    elif in_notebook():
        state._in_notebook = True
        # The first line appears at once, so that the user sees that something runs.
        state.redraw()
        try:
            yield state
        finally:
            state.redraw()
            print(file=sys.stderr)
    else:
        yield state


def in_notebook() -> bool:
    """Return whether the process is the kernel of a notebook."""
    return "ipykernel" in sys.modules


@contextmanager
def bar(state: Meter) -> Iterator[None]:
    """Draw a meter as a bar in the terminal while the block runs."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Line(ProgressColumn):
        """The progress line behind the bar."""

        def render(self, task: object) -> Text:
            return Text(state.line())

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), Line())
    # Four updates a second look smooth. More would take time from the run's own event loop.
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task(state.label, total=state.total, completed=state.done)
        state.draw = lambda: progress.update(task, completed=state.done)  # type: ignore[method-assign]
        yield


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours if there are any.

    Example:
        >>> clock(17), clock(3725)
        ('0:17', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
