"""The help of the commands that train.

It lists TRL's flags too, and only TRL's parser knows them. TRL loads torch, which takes seconds. So
the help is written to a file of the user's cache when it is first asked for, and read from there
until one of the libraries or this package changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable
from pathlib import Path

LIBRARIES = ("torch", "transformers", "trl")
"""Libraries whose versions decide the flags, their texts and their defaults."""


def print_help(command: str) -> None:
    """Print the help of a command that trains: "sft", "kd" or "gkd"."""
    print(remembered(command, lambda: write_help(command)), end="")


def write_help(command: str) -> str:
    """Return the help of a command, from the parsers of its flags."""
    from train import gkd, kd, sft
    from train.flags import parser_of

    if command == "gkd":
        return gkd.help_of_all()
    commands = {"sft": sft.COMMAND, "kd": kd.COMMAND}
    return parser_of(commands[command]).format_help()


def remembered(name: str, write: Callable[[], str]) -> str:
    """Return a text from the user's cache. If it is not there, it is written.

    Args:
        name: names the text.
        write: returns the text.
    """
    file = cache() / f"{name}-{fingerprint()}.txt"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8")
    text = write()
    # a home that cannot be written to only costs the seconds again
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        for old in file.parent.glob(f"{name}-*.txt"):
            old.unlink()
        # renamed when it is whole, so that no other process reads a part of it
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    return text


def cache() -> Path:
    """Return the folder of the remembered texts."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "emergent-distill" / "help"


def fingerprint() -> str:
    """Return a name for everything the help depends on."""
    package = Path(__file__).parent
    changed = max(file.stat().st_mtime_ns for file in package.rglob("*.py"))
    parts = [
        *(importlib.metadata.version(library) for library in LIBRARIES),
        str(package),
        str(changed),
        # argparse breaks the lines at the width of the terminal
        str(shutil.get_terminal_size().columns),
        # the defaults depend on the device
        os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
