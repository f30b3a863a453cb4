"""Finding a version: in the local store, in the cache of the Hub's client, or on the Hub."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from datagen.errors import UserError
from datagen.scratch import scratch_folder
from datagen.terminal import show
from datagen.versions import hub, local
from datagen.versions.number import parse
from datagen.versions.version import Version


def on_hub(reference: str, *, store: Path | None) -> bool:
    """Return whether a reference is looked up on the Hub.

    Args:
        reference: ORG/NAME or ORG/NAME@1.0.0. Other references are always local.
        store: the folder of the store. A version that it holds is not looked up on the Hub.
    """
    name, _, number = reference.partition("@")
    is_path = name.startswith(("/", ".", "~")) or (Path(reference) / "lineage.json").is_file()
    if "/" not in name or is_path:
        return False

    stored = [parse(version.version) for version in local.versions_of(name, store=store)]
    return parse(number) not in stored if number else not stored


def locate(reference: str, *, store: Path | None) -> Version:
    """Return a version with all its files, and check their hashes.

    A version that is not in the store is downloaded into the cache of the Hub's client. Without a
    connection the command stops: another version in the cache is never taken instead.

    Args:
        reference: NAME, NAME@1.0.0 or a version's folder.
        store: the folder of the store.

    Raises:
        UserError: there is no such version, or a file was changed.
    """
    if on_hub(reference, store=store):
        version = from_hub(reference, store)
    else:
        version = local.resolve(reference, store=store)
    local.verify(version)

    # without a number the result can change from one day to the next, so the user is told
    if reference in (version.name, f"{version.name}@"):
        show(f"{version.name}: the newest version is {version.version}", error=True)
    return version


def from_hub(reference: str, store: Path | None) -> Version:
    """Return a version of the Hub, with its files in the client's cache.

    Args:
        reference: ORG/NAME or ORG/NAME@1.0.0.
        store: the store that does not have it. The error message names it.

    Raises:
        UserError: the Hub has no such version, or cannot be reached.
    """
    local.check_name(reference.partition("@")[0])
    try:
        version = hub.resolve(reference)
    except UserError as error:
        raise UserError(
            f"{reference} is not in {store or local.default_store()}, and on the Hub: {error}"
        ) from None
    hub.download(version)
    return version


@contextlib.contextmanager
def opened(reference: str, *, on_hub: bool, store: Path | None) -> Iterator[Version]:
    """Open a version with all its files, from the store or from the Hub.

    Args:
        reference: NAME, NAME@1.0.0 or, in the store, a version's folder.
        on_hub: read it from the Hub. Its files go to a temporary folder, removed at the end.
        store: the folder of the store.

    Raises:
        UserError: there is no such version, or a file is missing.
    """
    if not on_hub:
        yield local.resolve(reference, store=store)
        return

    found = hub.resolve(reference)
    with scratch_folder() as scratch:
        hub.download(found, scratch)
        # opened anew, because the lineage of the download is the one that is checked
        version = local.open_version(scratch)
        yield dataclasses.replace(version, name=found.name, commit=found.commit)
