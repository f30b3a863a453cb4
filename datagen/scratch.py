"""Folders that exist only while they are worked on, also if their process is killed.

Such a folder is locked as long as its process lives, and the system frees the lock of a killed
process. So the next command can tell what was left behind, and removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PREFIX = "emergent-distill-"
"""Beginning of the names of temporary folders, so that no folder of another program is removed."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder, and remove it at the end.

    Example:
        >>> with scratch_folder() as scratch:
        ...     scratch.is_dir()
        True
        >>> scratch.exists()
        False
    """
    remove_left_behind(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))
    with locked_folder(lambda: Path(tempfile.mkdtemp(prefix=PREFIX))) as path:
        yield path


@contextlib.contextmanager
def locked_folder(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a folder and hold its lock. At the end remove it, unless it was renamed.

    Args:
        make: makes a new folder and returns it.
    """
    path, handle = make_locked(make)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def make_locked(make: Callable[[], Path]) -> tuple[Path, int]:
    """Return a new folder, and the handle that locks it."""
    while True:
        path = make()
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY)
            # some file systems have no lock: there a folder of a killed process stays
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            # another process may have removed the folder in the moment before the lock
            if path.exists():
                return path, handle
            os.close(handle)


def remove_left_behind(folders: Iterable[Path]) -> None:
    """Remove those folders whose processes were killed."""
    for path in folders:
        # no error: it may belong to another user, or its process removes it at this moment
        with contextlib.suppress(OSError), unlocked(path):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def unlocked(path: Path) -> Iterator[None]:
    """Take the lock of a folder for a moment.

    Raises:
        OSError: another process holds it, or the folder is gone.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
