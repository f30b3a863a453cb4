"""`datagen publish` and `datagen versions`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datagen.errors import UserError
from datagen.publish import lineage as lineages
from datagen.publish import local
from datagen.publish.versions import show


@dataclass(frozen=True)
class PublishSettings:
    """Make an immutable, numbered version of a finished run."""

    positional: ClassVar[tuple[str, ...]] = ("run", "name")

    run: Path
    """The run folder."""
    name: str
    """Name of the dataset, such as gsm8k-rationales or ORG/NAME."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""
    version: str | None = None
    """Number to give, such as 2.0.0. By default: major where schema or method changed, minor where rows did, patch
    where only the card did, and no new version where nothing did."""
    license: str | None = None
    """Licence identifier for the card, such as apache-2.0. None is invented."""
    language: str | None = None
    """Language code for the card, such as en."""
    dry_run: bool = False
    """Say which version it would be, and write nothing."""


@dataclass(frozen=True)
class VersionsSettings:
    """List the versions of a dataset."""

    positional: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    """Name of the dataset."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


def publish(settings: PublishSettings) -> None:
    """Publish a run, and print where it lies and how it is opened. Raises UserError."""
    store = settings.store or local.default_store()
    local.check_name(settings.name)
    lineage = lineages.build(settings.run, name=settings.name, license=settings.license, language=settings.language)
    if settings.dry_run:
        print(f"would be {settings.name} {planned(lineage, settings, store)}; nothing was written")
        return
    version, new = local.publish(settings.run, lineage, store=store, wanted=settings.version)
    if not new:
        print(f"{version.name} {version.version} holds this content already: no new version")
        return
    print(f"published {version.name} {version.version}: {counts(version)}")
    print(f'open it with datasets.load_dataset("{version.path}", "{next(iter(version.lineage["configs"]))}")')


def planned(lineage: dict[str, Any], settings: PublishSettings, store: Path) -> str:
    """The number in words, for `--dry-run`."""
    found = local.plan(lineage, settings.run, local.versions_of(settings.name, store=store), settings.version)
    return f"{found.version}, which holds this content already" if isinstance(found, local.Version) else show(found)


def versions(settings: VersionsSettings) -> None:
    """Print a line for every version, the newest marked. Raises UserError for an unknown name."""
    newest = local.resolve(settings.name, store=settings.store)
    if settings.name != newest.name:
        raise UserError(f"give a name without a version: datagen versions {newest.name}")
    for version in local.versions_of(settings.name, store=settings.store):
        lineage = version.lineage
        mark = "(newest)" if version.version == newest.version else ""
        about = [lineage["created"], version.content_sha256[:12], lineage["teacher"]["name"], counts(version), mark]
        print("  ".join([version.version, *about]).rstrip())


def counts(version: local.Version) -> str:
    return ", ".join(f"{config['rows']:,} {name}" for name, config in version.lineage["configs"].items())
