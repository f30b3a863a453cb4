"""Processes of Ray workers, to be killed: those of clusters that this process has started, and no
others."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def workers() -> list[int]:
    """Those that Ray has named after our actor."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it may end at any moment
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(int(entry.name))
    return [pid for pid in found if os.getpid() in ancestors(pid)]


def ancestors(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        while pid > 1:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            found.append(pid)
    return found


def holder(port: int) -> int:
    """The worker with a TCP connection from this local port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {
        f"socket:[{line[9]}]" for line in lines if int(line[1].rpartition(":")[2], 16) == port
    }
    for pid in workers():
        with suppress(OSError):
            if any(os.readlink(entry) in sockets for entry in os.scandir(f"/proc/{pid}/fd")):
                return pid
    raise AssertionError(f"no worker asks from port {port}")
