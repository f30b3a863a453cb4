"""Publishing into a local store: STORE/NAME/1.0.0, a folder that `datasets.load_dataset` opens.

A version is written to a hidden folder next to its place and then renamed. So it is there whole, or
not at all. A file lock lets one process publish a name at a time; the lock ends with the process.
Some file systems have no such lock. There the rename fails if another publisher was faster.
A version is never changed or moved afterwards.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.publish.folder import (
    SHARD_MB,
    add_other_families,
    card,
    link_files,
    with_number,
    write_folder,
)
from datagen.publish.numbering import next_number
from datagen.scratch import locked_folder, remove_left_behind
from datagen.versions.local import check_files, check_name, open_version, versions_of
from datagen.versions.number import FIRST, parse, show
from datagen.versions.version import Version

UNCOMPARED = ("usage", "code", "languages")
"""Parts of a run's lineage that may differ in the same version: what the run cost, which commit
made it, and what another release of the language detector finds."""


def publish(
    run: Path,
    lineage: dict[str, Any],
    *,
    store: Path,
    wanted: str | None = None,
    shard_mb: int = SHARD_MB,
) -> tuple[Version, bool]:
    """Put the lineage and the rows of a run into the store.

    Args:
        run: the run folder.
        lineage: the lineage of that run alone.
        store: the folder of the store.
        wanted: the number of the new version. Default: the next one.
        shard_mb: megabytes (10^6 bytes) above which a Parquet file is split.

    Returns:
        The version, and whether it is new.

    Raises:
        UserError: the number exists or is too low, or the store cannot be written.
    """
    check_name(lineage["name"])
    folder = store / lineage["name"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with publishing_lock(folder):
            remove_leftovers(store)
            existing = versions_of(lineage["name"], store=store)
            found = plan(lineage, existing, wanted)
            if isinstance(found, Version):
                return found, False
            return write(run, found, existing, folder=folder, shard_mb=shard_mb), True
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None


def plan(
    lineage: dict[str, Any], existing: list[Version], wanted: str | None
) -> Version | dict[str, Any]:
    """Return the version that holds a run already, or the lineage of the version to make.

    The version to make also holds the runs of other families of the newest version.

    Args:
        lineage: the lineage of the run alone.
        existing: all versions of the name, oldest first.
        wanted: the number of the new version. Default: the next one.

    Raises:
        UserError: the number exists or is too low, or the runs do not fit together.
    """
    if wanted is not None:
        check_free(wanted, lineage["name"], existing)
    newest = existing[-1] if existing else None
    lineage = add_other_families(lineage, newest)

    same = next((version for version in existing if holds(version, lineage)), None)
    if same is not None:
        return same

    least = next_number(newest.lineage, lineage) if newest else FIRST
    number = (parse(wanted) if wanted is not None else None) or least
    if newest and number < least:
        raise UserError(
            f"--version {wanted}: what changed since {newest.version} asks for {show(least)} "
            "or later"
        )
    return with_number(lineage, number, newest)


def check_free(wanted: str, name: str, existing: list[Version]) -> None:
    """Check that a new version may have this number.

    Raises:
        UserError: it is no version number, or a version has it.
    """
    number = parse(wanted)
    if number is None:
        raise UserError(f"--version {wanted}: not of the form 1.0.0")
    if any(parse(version.version) == number for version in existing):
        there = ", ".join(version.version for version in existing)
        raise UserError(f"{name} {show(number)} exists and is never changed; versions: {there}")


def holds(version: Version, lineage: dict[str, Any]) -> bool:
    """Return whether a version has the content and the card of a lineage.

    The card is rendered with the version's own number and date, and then compared. The parts in
    `UNCOMPARED` do not count: the same rows, made again, are the same version.
    """
    old = version.lineage
    if version.content_sha256 != lineage["content_sha256"]:
        return False
    if old["runs"].keys() != lineage["runs"].keys():
        return False

    facts = {key: old[key] for key in ("version", "created", "previous", "hub") if key in old}
    runs: dict[str, Any] = {}
    for family, run in lineage["runs"].items():
        before = old["runs"][family]
        runs[family] = run | {key: before[key] for key in UNCOMPARED if key in before}

    text = (version.path / "README.md").read_text(encoding="utf-8")
    return text == card(lineage | facts | {"runs": runs})


def write(
    run: Path, lineage: dict[str, Any], existing: list[Version], *, folder: Path, shard_mb: int
) -> Version:
    """Write a version to a hidden folder, rename it, and return it.

    Args:
        run: the run folder.
        lineage: the lineage of the version, with its number.
        existing: all versions of the name, oldest first.
        folder: the folder of the name.
        shard_mb: megabytes (10^6 bytes) above which a Parquet file is split.

    Raises:
        UserError: another version or file is in the place.
    """
    number = lineage["version"]
    # noted before `write_folder` adds the new files to the lineage
    kept = list(lineage["files"])

    with partial_folder(folder, number) as partial:
        write_folder(partial, run, lineage, shard_mb=shard_mb)
        if kept:
            link_files(kept, check_files(existing[-1]).path, partial)
        return move_into_place(partial, folder / number)


def partial_folder(folder: Path, number: str) -> AbstractContextManager[Path]:
    """Make a hidden folder in which a version is written. At the end it is gone or renamed."""

    def make() -> Path:
        # a name of its own: where a file system has no lock, two publishers may write at once
        path = folder / f".{number}.{uuid.uuid4().hex[:8]}.partial"
        path.mkdir()
        return path

    return locked_folder(make)


def move_into_place(partial: Path, place: Path) -> Version:
    """Rename a complete folder to the folder of its version, and return the version.

    Raises:
        UserError: another version or file is in the place.
    """
    make_durable(partial)
    try:
        partial.rename(place)
    except OSError:
        raise UserError(
            f"{place} is taken: look at what is there, and give the command again"
        ) from None
    # without this, a power cut could undo the rename
    sync(place.parent)
    return open_version(place)


def make_durable(folder: Path) -> None:
    """Write every file and folder to disk, and make the files read-only."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)
        if path.is_file():
            path.chmod(0o444)


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def publishing_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a name. First wait until no other process publishes it."""
    # the system frees the lock of a killed process, so it is never left behind
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def remove_leftovers(store: Path) -> None:
    """Remove the hidden folders of publishers that were killed, under every name of a store."""
    remove_left_behind([*store.glob("*/.*.partial"), *store.glob("*/*/.*.partial")])
