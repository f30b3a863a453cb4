"""`datagen publish`, `versions`, `diff`, `pull` and `verify`: in a local store, or with `--hub` on
the Hub."""

from __future__ import annotations

import sys
from typing import Any

from cards.render import visible
from datagen.errors import UserError
from datagen.flags import Command
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


def publish(settings: PublishSettings) -> None:
    """Publish a run, and print where it lies and how it is opened. Raises UserError."""
    check(settings)
    lineage = lineages.build(
        settings.run,
        name=settings.name,
        license=settings.license,
        language=settings.language,
        hub=settings.hub,
    )
    ((family, run),) = lineage["runs"].items()
    for warning in warnings(run["teacher"]):
        print(f"warning: {warning}", file=sys.stderr)
    if settings.dry_run:
        print(f"would be {settings.name} {planned(lineage, settings)}; nothing was written")
        return
    version, new = put(lineage, settings)
    if not new:
        print(f"{version.name} {version.version} holds this content already: no new version")
        return
    print(f"published {version.name} {version.version}: {counts(version)}")
    print(f"open it with datasets.load_dataset({opening(version, family)})")


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


def opening(version: Version, family: str | None = None) -> str:
    """What `load_dataset` is given, to see rows of a family, by default of the first."""
    family = family or next(iter(version.lineage["runs"]))
    config = next(
        name
        for name, config in version.configs.items()
        if config["rows"] and family in config["runs"]
    )
    if version.commit is None:
        return f'"{version.path}", "{config}"'
    return f'"{version.name}", "{config}", revision="v{version.version}"'


def versions(settings: VersionsSettings) -> None:
    """Print a line for every version, the newest marked. Raises UserError for an unknown name."""
    name, at, _ = settings.name.partition("@")
    if at:
        raise UserError(f"give a name without a version: datagen versions {name}")
    local_versions.check_name(name)
    found = (
        hub_versions.versions_of(name)
        if settings.hub
        else local_versions.versions_of(name, store=settings.store)
    )
    if not found:  # say which names there are
        found = [
            hub_versions.resolve(name)
            if settings.hub
            else local_versions.resolve(name, store=settings.store)
        ]
    for version in found:
        teachers = dict.fromkeys(run["teacher"]["name"] for run in version.lineage["runs"].values())
        mark = "(newest)" if version is found[-1] else ""
        about = [
            version.lineage["created"],
            version.content_sha256[:12],
            ", ".join(teachers),
            counts(version),
            mark,
        ]
        print(visible("  ".join([version.version, *about]).rstrip()))


def diff(settings: DiffSettings) -> None:
    """Print what changed from one version to another. Raises UserError."""
    with (
        opened(settings.old, on_hub=settings.hub, store=settings.store) as old,
        opened(settings.new, on_hub=settings.hub, store=settings.store) as new,
    ):
        print(f"{old.name} {old.version} -> {new.name} {new.version}")
        print(
            "\n".join(map(visible, differences(old, new))) or "the same rows, teacher and settings"
        )


def pull(settings: PullSettings) -> None:
    """Bring a version of the Hub into the local store. Raises UserError."""
    version, new = pulling.pull(
        settings.reference, store=settings.store or local_versions.default_store()
    )
    print(
        f"{'pulled' if new else 'already there:'} {version.name} {version.version}: {counts(version)}"
    )
    print(f"open it with datasets.load_dataset({opening(version)})")


def verify(settings: VerifySettings) -> None:
    """Recompute every hash of a version. Raises UserError naming the first file that differs."""
    with opened(settings.reference, on_hub=settings.hub, store=settings.store) as version:
        local_versions.verify(version)
        files = len(version.lineage["files"])
        print(
            f"{version.name} {version.version} is as published: {counts(version)}, in {files} files"
        )


def counts(version: Version) -> str:
    return ", ".join(f"{config['rows']:,} {name}" for name, config in version.configs.items())


COMMANDS: dict[str, Command] = {
    "publish": (PublishSettings, publish),
    "versions": (VersionsSettings, versions),
    "diff": (DiffSettings, diff),
    "pull": (PullSettings, pull),
    "verify": (VerifySettings, verify),
}
