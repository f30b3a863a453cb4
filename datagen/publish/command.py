"""Publishing, listing, comparing, pulling and verifying versions, in a store or on the Hub.

Each function returns what it found; `datagen.publish.cli` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datagen.errors import UserError
from datagen.publish import hub, local
from datagen.publish import lineage as lineages
from datagen.publish import pull as pulling
from datagen.publish.diff import differences
from datagen.publish.settings import (
    DiffSettings,
    PublishSettings,
    PullSettings,
    VerifySettings,
    VersionsSettings,
)
from datagen.publish.terms import license_warnings
from datagen.versions import hub as hub_versions
from datagen.versions import local as local_versions
from datagen.versions.locate import opened
from datagen.versions.version import Version


@dataclass(frozen=True)
class Publication:
    """A version that was published or pulled, and whether this call made it."""

    version: Version
    new: bool
    """False if a version held this content already."""
    family: str
    """The family of the run that was published."""
    warnings: tuple[str, ...] = ()
    """What the teacher's terms demand of those who train on its outputs."""


def publish_run(settings: PublishSettings) -> Publication:
    """Make the next version of a name from a run, and return it.

    Raises:
        UserError: the run is not finished, a setting is wrong, or the store or Hub refuses.
    """
    lineage = lineage_of(settings)
    version, new = put(lineage, settings)
    return Publication(version, new, family_in(lineage), terms_of(lineage))


def planned_version(settings: PublishSettings) -> tuple[str, tuple[str, ...]]:
    """Return the number that a version would get, in words, and the warnings. Write nothing."""
    lineage = lineage_of(settings)
    return planned(lineage, settings), terms_of(lineage)


def lineage_of(settings: PublishSettings) -> dict[str, Any]:
    """Return the lineage of the run, as the only run of a version.

    Raises:
        UserError: the run is not finished, or a setting is wrong.
    """
    check(settings)
    return lineages.build(
        settings.run,
        name=settings.name,
        license=settings.license,
        language=settings.language,
        hub=settings.hub,
    )


def family_in(lineage: dict[str, Any]) -> str:
    """Return the family of the only run of a lineage."""
    (family,) = lineage["runs"]
    return str(family)


def terms_of(lineage: dict[str, Any]) -> tuple[str, ...]:
    """Return the warnings about the terms of a run's teacher."""
    return tuple(license_warnings(lineage["runs"][family_in(lineage)]["teacher"]))


def check(settings: PublishSettings) -> None:
    """Check the settings before any file is read.

    Raises:
        UserError: a setting is wrong, or two settings exclude each other.
    """
    local_versions.check_name(settings.name)
    if settings.hub and settings.store is not None:
        raise UserError("--store is for local versions: leave it out with --hub")
    if settings.private and not settings.hub:
        raise UserError("--private is for the Hub: give --hub too")
    if settings.shard_mb < 1:
        raise UserError(f"--shard-mb {settings.shard_mb}: at least 1 is needed")


def put(lineage: dict[str, Any], settings: PublishSettings) -> tuple[Version, bool]:
    """Publish on the Hub or in the store. Return the version, and whether it is new."""
    wanted = settings.version
    shard_mb = settings.shard_mb
    if settings.hub:
        return hub.publish(
            settings.run, lineage, wanted=wanted, private=settings.private, shard_mb=shard_mb
        )
    store = settings.store or local_versions.default_store()
    return local.publish(settings.run, lineage, store=store, wanted=wanted, shard_mb=shard_mb)


def planned(lineage: dict[str, Any], settings: PublishSettings) -> str:
    """Return the number in words, for `--dry-run`."""
    if settings.hub:
        found = hub.planned(lineage, wanted=settings.version)
    else:
        existing = local_versions.versions_of(settings.name, store=settings.store)
        found = local.plan(lineage, existing, settings.version)
    if isinstance(found, Version):
        return f"{found.version}, which holds this content already"
    return str(found["version"])


def list_versions(settings: VersionsSettings) -> list[Version]:
    """Return all versions of a name, oldest first.

    Raises:
        UserError: there is no such name, or a version was given.
    """
    name, at, _ = settings.name.partition("@")
    if at:
        raise UserError(f"give a name without a version: datagen versions {name}")
    local_versions.check_name(name)

    if settings.hub:
        return hub_versions.versions_of(name) or [hub_versions.resolve(name)]
    local.remove_leftovers(settings.store or local_versions.default_store())
    # for an unknown name, `resolve` raises an error that lists the known names
    found = local_versions.versions_of(name, store=settings.store)
    return found or [local_versions.resolve(name, store=settings.store)]


@dataclass(frozen=True)
class Comparison:
    """Two versions, and one line for every difference between them.

    Example:
        >>> Comparison(old="sums 1.0.0", new="sums 1.1.0", lines=()).lines
        ()
    """

    old: str
    new: str
    lines: Sequence[str]


def compare_versions(settings: DiffSettings) -> Comparison:
    """Return what changed from one version to another.

    Raises:
        UserError: a version does not exist or cannot be read.
    """
    with (
        opened(settings.old, on_hub=settings.hub, store=settings.store) as old,
        opened(settings.new, on_hub=settings.hub, store=settings.store) as new,
    ):
        return Comparison(
            old=f"{old.name} {old.version}",
            new=f"{new.name} {new.version}",
            lines=tuple(differences(old, new)),
        )


def pull_version(settings: PullSettings) -> Publication:
    """Copy a version from the Hub into the local store.

    Raises:
        UserError: there is no such version, or the store has another one under its number.
    """
    store = settings.store or local_versions.default_store()
    version, new = pulling.pull(settings.reference, store=store)
    return Publication(version, new, next(iter(version.lineage["runs"])))


def verify_version(settings: VerifySettings) -> Version:
    """Recompute every hash of a version, and return the version.

    Raises:
        UserError: a file differs. The message names the first one.
    """
    with opened(settings.reference, on_hub=settings.hub, store=settings.store) as version:
        local_versions.verify(version)
        if version.commit:
            hub_versions.verify_commit(version)
        return version
