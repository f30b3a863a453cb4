"""Where a version is found: in the store, in the Hub client's cache, or on the Hub."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from datagen.errors import UserError
from datagen.versions import hub, local
from datagen.versions.number import parse
from datagen.versions.version import Version


def on_hub(reference: str, *, store: Path | None) -> bool:
    """Whether a reference is looked up on the Hub: ORG/NAME or ORG/NAME@1.0.0 that is not in the
    store.
    """
    name, _, number = reference.partition("@")
    if (
        "/" not in name
        or name.startswith(("/", ".", "~"))
        or (Path(reference) / "lineage.json").is_file()
    ):
        return False
    there = [parse(version.version) for version in local.versions_of(name, store=store)]
    return parse(number) not in there if number else not there


def locate(reference: str, *, store: Path | None) -> Version:
    """A version with all its files, their hashes checked: from the store, or else from the Hub into
    the client's cache, where it lies under its commit.

    Raises UserError, also for a revision that the Hub has not: no cached copy takes its place.
    """
    version = (
        from_hub(reference, store)
        if on_hub(reference, store=store)
        else local.resolve(reference, store=store)
    )
    local.verify(version)
    if reference in (version.name, f"{version.name}@"):
        print(f"{version.name}: the newest version is {version.version}", file=sys.stderr)
    return version


def from_hub(reference: str, store: Path | None) -> Version:
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
    """A version with all its files, from the store or, for as long as it is needed, from the
    Hub.
    """
    if not on_hub:
        yield local.resolve(reference, store=store)
        return
    found = hub.resolve(reference)
    with tempfile.TemporaryDirectory(prefix="datagen-") as scratch:
        hub.download(found, Path(scratch))
        yield dataclasses.replace(
            local.open_version(Path(scratch)), name=found.name, commit=found.commit
        )
