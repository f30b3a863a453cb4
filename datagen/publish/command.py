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
from datagen.publish.terms import warnings
from datagen.versions import hub as hub_versions
from datagen.versions import local as local_versions
from datagen.versions.locate import opened
from datagen.versions.version import Version


@dataclass(frozen=True)
class Publication:
    """A version, and whether this call made it."""

    version: Version
    new: bool
    """False where a version held this content already."""
    family: str
    """The family of the run that was published."""
    warnings: tuple[str, ...] = ()
    """What the teacher's terms ask of those who train on its outputs."""


def publish_run(settings: PublishSettings) -> Publication:
    """Make the next version of a name from a run. Raises UserError."""
    lineage = lineage_of(settings)
    version, new = put(lineage, settings)
    return Publication(version, new, family_in(lineage), terms_of(lineage))


def planned_version(settings: PublishSettings) -> tuple[str, tuple[str, ...]]:
    """The number that a version would get, in words, and the warnings. Writes nothing."""
    lineage = lineage_of(settings)
    return planned(lineage, settings), terms_of(lineage)


def lineage_of(settings: PublishSettings) -> dict[str, Any]:
    """The lineage of the run, as all that a version of its name holds. Raises UserError."""
    check(settings)
    return lineages.build(
        settings.run,
        name=settings.name,
        license=settings.license,
        language=settings.language,
        hub=settings.hub,
    )


def family_in(lineage: dict[str, Any]) -> str:
    """The family of the one run of a lineage."""
    (family,) = lineage["runs"]
    return str(family)


def terms_of(lineage: dict[str, Any]) -> tuple[str, ...]:
    """What the teacher's terms ask."""
    return tuple(warnings(lineage["runs"][family_in(lineage)]["teacher"]))


def check(settings: PublishSettings) -> None:
    local_versions.check_name(settings.name)
    if settings.hub and settings.store is not None:
        raise UserError("--store is for local versions: leave it out with --hub")
    if settings.private and not settings.hub:
        raise UserError("--private is for the Hub: give --hub too")
    if settings.shard_mb < 1:
        raise UserError(f"--shard-mb {settings.shard_mb}: at least 1 is needed")


def put(lineage: dict[str, Any], settings: PublishSettings) -> tuple[Version, bool]:
    wanted, shard_mb = settings.version, settings.shard_mb
    if settings.hub:
        return hub.publish(
            settings.run, lineage, wanted=wanted, private=settings.private, shard_mb=shard_mb
        )
    store = settings.store or local_versions.default_store()
    return local.publish(settings.run, lineage, store=store, wanted=wanted, shard_mb=shard_mb)


def planned(lineage: dict[str, Any], settings: PublishSettings) -> str:
    """The number in words, for `--dry-run`."""
    if settings.hub:
        found = hub.planned(lineage, wanted=settings.version)
    else:
        existing = local_versions.versions_of(settings.name, store=settings.store)
        found = local.plan(lineage, existing, settings.version)
    return (
        f"{found.version}, which holds this content already"
        if isinstance(found, Version)
        else found["version"]
    )


def list_versions(settings: VersionsSettings) -> list[Version]:
    """All versions of a name, oldest first. Raises UserError for an unknown name."""
    name, at, _ = settings.name.partition("@")
    if at:
        raise UserError(f"give a name without a version: datagen versions {name}")
    local_versions.check_name(name)

    if settings.hub:
        return hub_versions.versions_of(name) or [hub_versions.resolve(name)]
    # where there is none, `resolve` says which names there are
    found = local_versions.versions_of(name, store=settings.store)
    return found or [local_versions.resolve(name, store=settings.store)]


@dataclass(frozen=True)
class Comparison:
    """Two versions, and a line for every difference.

    Example:
        >>> Comparison(old="sums 1.0.0", new="sums 1.1.0", lines=()).lines
        ()
    """

    old: str
    new: str
    lines: Sequence[str]


def compare_versions(settings: DiffSettings) -> Comparison:
    """What changed from one version to another. Raises UserError."""
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
    """Bring a version of the Hub into the local store. Raises UserError."""
    store = settings.store or local_versions.default_store()
    version, new = pulling.pull(settings.reference, store=store)
    return Publication(version, new, next(iter(version.lineage["runs"])))


def verify_version(settings: VerifySettings) -> Version:
    """Recompute every hash of a version. Raises UserError naming the first file that differs."""
    with opened(settings.reference, on_hub=settings.hub, store=settings.store) as version:
        local_versions.verify(version)
        return version
