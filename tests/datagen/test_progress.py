"""Progress in a log, in a notebook and in a terminal."""

from __future__ import annotations

import io
import sys
from types import ModuleType

import pytest

from datagen import progress
from datagen.progress import LOG_EVERY_S, meter

Capture = pytest.CaptureFixture[str]


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time_now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress.time, "monotonic", found)
    return found


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel of a notebook has imported this module."""
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))


def test_a_log_has_a_line_now_and_then(time_now: Clock, capsys: Capture) -> None:
    with meter("rationales", 100) as running:
        for _ in range(100):
            time_now.now += 1.0
            running.advance()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == int(100 / LOG_EVERY_S)
    assert lines[0] == "rationales: 15/100 · 1.0 rows/s · 1:25 left"
    assert not any("\r" in line for line in lines)


@pytest.mark.usefixtures("notebook")
def test_a_notebook_redraws_one_line_twice_a_second(time_now: Clock, capsys: Capture) -> None:
    with meter("rationales", 100) as running:
        for _ in range(100):
            time_now.now += 0.1
            running.advance()
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.endswith("\n")
    updates = written.strip("\n").split("\r")[1:]
    assert 15 <= len(updates) <= 25
    assert updates[0].startswith("rationales: 0/100")
    assert updates[-1].startswith("rationales: 100/100")


@pytest.mark.usefixtures("notebook")
def test_a_shorter_line_covers_the_one_before(time_now: Clock, capsys: Capture) -> None:
    numbers = iter([1_000_000, 1])
    with meter("r", 1, counts=lambda: {"accepted": next(numbers)}):
        pass
    first, last = capsys.readouterr().err.strip("\n").split("\r")[1:]
    assert len(first) == len(last)


@pytest.mark.usefixtures("notebook", "time_now")
def test_a_notebook_keeps_the_line_of_a_run_that_failed(capsys: Capture) -> None:
    def fail() -> None:
        with meter("r", 2) as running:
            running.advance()
            raise ValueError("no teacher")

    with pytest.raises(ValueError, match="no teacher"):
        fail()
    written = capsys.readouterr().err
    assert written.endswith("\n")
    assert "1/2" in written.rpartition("\r")[2]


@pytest.mark.usefixtures("notebook")
def test_a_terminal_has_a_bar_even_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    with meter("rationales", 2) as running:
        running.advance(by=2)
    assert "2/2" in found.getvalue()
