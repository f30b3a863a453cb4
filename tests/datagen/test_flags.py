"""One way to write flags: both spellings, values behind `=`, several values, switches."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from datagen.errors import UserError
from datagen.flags import parse


@dataclasses.dataclass(frozen=True)
class Settings:
    """Do something.

    To a source.
    """

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """What it is done to."""
    keep_by: str = "auto"
    """How."""
    dry_run: bool = False
    """Whether."""
    filter: tuple[str, ...] = ()
    """Which."""
    out: Path | None = None
    """Where."""


def parsed(*words: str) -> Settings:
    return parse("tool", "", {"make": (Settings, print)}, ["make", *words])[1]


@pytest.mark.parametrize(
    "words",
    [
        ["x", "--keep_by", "gold", "--dry_run", "--filter", "a:b", "c:d", "--out", "o"],
        ["x", "--keep-by", "gold", "--dry-run", "true", "--filter", '["a:b", "c:d"]', "--out=o"],
        ["--source", "x", "--keep-by=gold", "--dry_run=true", '--filter=["a:b","c:d"]', "--out=o"],
    ],
)
def test_both_spellings_say_the_same(words):
    assert parsed(*words) == Settings("x", "gold", True, ("a:b", "c:d"), Path("o"))


def test_a_value_keeps_its_dashes():
    assert parsed("x", "--keep-by=gold-first").keep_by == "gold-first"
    assert parsed("x", "--keep-by", "gold-first").keep_by == "gold-first"


def test_a_switch_takes_no_value_from_what_follows():
    found = parsed("x", "--dry-run", "--keep-by", "gold")
    assert (found.dry_run, found.keep_by) == (True, "gold")


def test_an_unknown_flag_is_one_line():
    with pytest.raises(UserError, match="--kep_by"):
        parsed("x", "--kep-by", "gold")


@pytest.mark.parametrize("words", [["--help"], ["rationales", "--help"], ["filter", "--help"]])
def test_help_shows_one_spelling_and_loads_no_torch(words):
    code = (
        "import sys; from datagen.cli import main\n"
        f"try: main({words!r})\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--keep-by" not in done.stdout
