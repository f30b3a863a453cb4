"""The commands `publish`, `versions`, `diff`, `pull` and `verify`: they print what was done."""

from __future__ import annotations

from collections.abc import Sequence

from datagen.flags import Command
from datagen.publish.command import (
    compare_versions,
    list_versions,
    planned_version,
    publish_run,
    pull_version,
    verify_version,
)
from datagen.publish.settings import (
    DiffSettings,
    PublishSettings,
    PullSettings,
    VerifySettings,
    VersionsSettings,
)
from datagen.terminal import show
from datagen.versions.lineage import VERSION_HASH
from datagen.versions.local import uncovered
from datagen.versions.version import Version


def publish(settings: PublishSettings) -> None:
    """Publish a run, and print how the version is opened."""
    if settings.dry_run:
        number, warnings = planned_version(settings)
        warn(warnings)
        show(f"would be {settings.name} {number}; nothing was written")
        return

    done = publish_run(settings)
    version = done.version
    warn(done.warnings)
    if not done.new:
        show(f"{version.name} {version.version} holds this content already: no new version")
        return
    show(f"published {version.name} {version.version}: {counts(version)}")
    show(f"open it with datasets.load_dataset({opening(version, done.family)})")


def warn(warnings: Sequence[str]) -> None:
    """Print warnings on standard error."""
    for warning in warnings:
        show(f"warning: {warning}", error=True)


def versions(settings: VersionsSettings) -> None:
    """Print one line for every version of a name, oldest first."""
    found = list_versions(settings)
    for version in found:
        teachers = dict.fromkeys(run["teacher"]["name"] for run in version.lineage["runs"].values())
        about = [
            version.version,
            version.lineage["created"],
            version.content_sha256[:12],
            ", ".join(teachers),
            counts(version),
            "(newest)" if version is found[-1] else "",
        ]
        show("  ".join(about).rstrip())


def diff(settings: DiffSettings) -> None:
    """Print what changed from one version to another."""
    found = compare_versions(settings)
    show(f"{found.old} -> {found.new}")
    show("\n".join(found.lines) or "the same rows, teacher and settings")


def pull(settings: PullSettings) -> None:
    """Copy a version from the Hub into the local store, and print how it is opened."""
    done = pull_version(settings)
    version = done.version
    what = "pulled" if done.new else "already there:"
    show(f"{what} {version.name} {version.version}: {counts(version)}")
    show(f"open it with datasets.load_dataset({opening(version)})")


def verify(settings: VerifySettings) -> None:
    """Print that a version is as it was published. A changed file raises UserError."""
    version = verify_version(settings)
    files = len(version.lineage["files"])
    published = f"{version.name} {version.version} is as published"
    at = f", at commit {version.commit} of the Hub" if version.commit else ""
    show(f"{published}: {counts(version)}, in {files} files{at}")
    show(uncovered(version) or f"hash of the version: {version.lineage[VERSION_HASH]}")


def opening(version: Version, family: str | None = None) -> str:
    """Return the arguments of `load_dataset` that open rows of a version.

    Args:
        version: a published version.
        family: whose rows. Default: those of the first family.
    """
    family = family or next(iter(version.lineage["runs"]))
    # `load_dataset` fails on a config without rows
    config = next(
        name
        for name, config in version.configs.items()
        if config["rows"] and family in config["runs"]
    )
    if version.commit is None:
        return f'"{version.path}", "{config}"'
    return f'"{version.name}", "{config}", revision="v{version.version}"'


def counts(version: Version) -> str:
    """Return the rows of each config, such as `7,473 rationales, 120 rejected`."""
    return ", ".join(f"{config['rows']:,} {name}" for name, config in version.configs.items())


COMMANDS: dict[str, Command] = {
    "publish": (PublishSettings, publish),
    "versions": (VersionsSettings, versions),
    "diff": (DiffSettings, diff),
    "pull": (PullSettings, pull),
    "verify": (VerifySettings, verify),
}
