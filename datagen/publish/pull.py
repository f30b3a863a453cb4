"""Copying a version from the Hub into the local store."""

from __future__ import annotations

from pathlib import Path

from datagen.errors import UserError
from datagen.publish import local
from datagen.versions import hub as hub_versions
from datagen.versions import local as local_versions
from datagen.versions.version import Version


def pull(reference: str, *, store: Path) -> tuple[Version, bool]:
    """Put a version of the Hub into the store, and check its hashes.

    Args:
        reference: ORG/NAME@1.0.0, or ORG/NAME for the newest version.
        store: the folder of the store.

    Returns:
        The version, and whether the store did not have it before.

    Raises:
        UserError: there is no such version, a hash is wrong, or the store has that version with
            other content.
    """
    found = hub_versions.resolve(reference)
    folder = store / found.name
    place = folder / found.version
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with local.publishing_lock(folder):
            local.remove_leftovers(store)
            if place.is_dir():
                return check_same(local_versions.open_version(place), found), False

            # checked before the rename, so a damaged download never becomes a version
            with local.partial_folder(folder, found.version) as partial:
                hub_versions.download(found, partial)
                local_versions.verify(local_versions.open_version(partial))
                return local.move_into_place(partial, place), True
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None


def check_same(stored: Version, found: Version) -> Version:
    """Return the version of the store if it is the one on the Hub, with all its files.

    Raises:
        UserError: the store has other content under that number, or a file is missing.
    """
    if stored.lineage != found.lineage:
        raise UserError(
            f"{stored.path} is another {found.name} {found.version} than the Hub's: pull into "
            "another --store"
        )
    return local_versions.check_files(stored)
