"""A version of the Hub on this machine: in the store, in the client's cache, or in passing."""

from __future__ import annotations

import os
from pathlib import Path

from datagen.errors import UserError
from datagen.publish import local
from datagen.versions import hub as hub_versions
from datagen.versions import local as local_versions
from datagen.versions.version import Version


def pull(reference: str, *, store: Path) -> tuple[Version, bool]:
    """Put a version of the Hub into the store, its hashes checked.

    Returns it, and whether it was not there before.

    Raises UserError, also where the store has that version with other content.
    """
    found = hub_versions.resolve(reference)
    folder = store / found.name
    place = folder / found.version
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with local.turn(folder):
            local.sweep(folder)
            if place.is_dir():
                return same(local_versions.open_version(place), found), False
            partial = folder / f".{found.version}.{os.getpid()}.partial"
            hub_versions.download(found, partial)
            local_versions.verify(local_versions.open_version(partial))
            return local.into_place(partial, place), True
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None


def same(there: Version, found: Version) -> Version:
    """What the store has, if it is the Hub's. Raises UserError where it is not."""
    if there.lineage != found.lineage:
        raise UserError(
            f"{there.path} is another {found.name} {found.version} than the Hub's: pull into "
            "another --store"
        )
    return local_versions.check_files(there)
