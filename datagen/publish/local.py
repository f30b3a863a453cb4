"""Versions in a folder: STORE/NAME/1.0.0, opened by plain `datasets.load_dataset`.

A version is written beside its place and renamed into it, so it is there whole or not at all.
Publishers of one name take turns by a file lock, which ends with the process that holds it; should
a file system have no such lock, the rename still fails where another was faster. Nothing is ever
changed or moved afterwards.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.publish.folder import SHARD_MB, beside, bring, card, fill, stamped
from datagen.publish.numbering import following
from datagen.versions.local import check_files, check_name, open_version, versions_of
from datagen.versions.number import FIRST, parse, show
from datagen.versions.version import Version

UNCOMPARED = ("usage", "code", "languages")
"""Parts of a run's lineage that may differ in the same version."""


def publish(
    run: Path,
    lineage: dict[str, Any],
    *,
    store: Path,
    wanted: str | None = None,
    shard_mb: int = SHARD_MB,
) -> tuple[Version, bool]:
    """Put a run's lineage and rows into the store. Returns the version, and whether it is new.

    `wanted` asks for a number; it is refused where it exists. Raises UserError.
    """
    check_name(lineage["name"])
    folder = store / lineage["name"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with turn(folder):
            sweep(folder)
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
    """The version that holds a run already, beside what the newest holds of other families, or the
    lineage of the version that is to be made. Raises UserError.
    """
    if wanted is not None:
        check_free(wanted, lineage["name"], existing)
    newest = existing[-1] if existing else None
    lineage = beside(lineage, newest)
    same = next((version for version in existing if holds(version, lineage)), None)
    if same is not None:
        return same
    least = following(newest.lineage, lineage) if newest else FIRST
    number = (parse(wanted) if wanted is not None else None) or least
    if newest and number < least:
        raise UserError(
            f"--version {wanted}: what changed since {newest.version} asks for {show(least)} "
            "or later"
        )
    return stamped(lineage, number, newest)


def check_free(wanted: str, name: str, existing: list[Version]) -> None:
    number = parse(wanted)
    if number is None:
        raise UserError(f"--version {wanted}: not of the form 1.0.0")
    if any(parse(version.version) == number for version in existing):
        there = ", ".join(version.version for version in existing)
        raise UserError(f"{name} {show(number)} exists and is never changed; versions: {there}")


def holds(version: Version, lineage: dict[str, Any]) -> bool:
    """Whether a version already has this content and this card: the card is rendered as that
    version's and compared.

    What it cost, which commit made it and what another detector sees in it is not compared: the
    same rows made again are the same version.
    """
    there = version.lineage
    if (
        version.content_sha256 != lineage["content_sha256"]
        or there["runs"].keys() != lineage["runs"].keys()
    ):
        return False
    same = {key: there[key] for key in ("version", "created", "previous", "hub") if key in there}
    runs = {
        family: run
        | {key: there["runs"][family][key] for key in UNCOMPARED if key in there["runs"][family]}
        for family, run in lineage["runs"].items()
    }
    return (version.path / "README.md").read_text(encoding="utf-8") == card(
        lineage | same | {"runs": runs}
    )


def write(
    run: Path, lineage: dict[str, Any], existing: list[Version], *, folder: Path, shard_mb: int
) -> Version:
    """Write a version beside its place and rename it.

    Raises UserError where something is in its place.
    """
    number, kept = lineage["version"], list(lineage["files"])
    partial = folder / f".{number}.{os.getpid()}.partial"
    fill(partial, run, lineage, shard_mb=shard_mb)
    if kept:
        bring(kept, check_files(existing[-1]).path, partial)
    return into_place(partial, folder / number)


def into_place(partial: Path, place: Path) -> Version:
    """Make a finished folder the version at `place`. Raises UserError where something is there."""
    settle(partial)
    try:
        partial.rename(place)
    except OSError:
        shutil.rmtree(partial)
        raise UserError(
            f"{place} is taken: look at what is there, and give the command again"
        ) from None
    sync(place.parent)
    return open_version(place)


def settle(folder: Path) -> None:
    """Bring every file and folder to disk, and make the files read-only."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)
        if path.is_file():
            path.chmod(0o444)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until no other process publishes into the folder. A killed one holds nothing."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sweep(folder: Path) -> None:
    """Remove what killed publishers left behind; with the lock held, nobody is at work in it."""
    for partial in folder.glob(".*.partial"):
        shutil.rmtree(partial, ignore_errors=True)
