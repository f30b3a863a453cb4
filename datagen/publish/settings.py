"""Settings of the commands that make versions and work with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from datagen.publish.folder import SHARD_MB


@dataclass(frozen=True)
class PublishSettings:
    """Make an immutable, numbered version of a finished run.

    A dataset holds one run of each family of methods (rationales, instructions, demonstrations).
    Publishing a run replaces the run of its own family. The other families stay.
    """

    positional: ClassVar[tuple[str, ...]] = ("run", "name")

    run: Path
    """The run folder."""
    name: str
    """Name of the dataset, such as gsm8k-rationales or ORG/NAME."""
    hub: bool = False
    """Publish on the Hub: one commit with one tag. The same command finishes one that was
    interrupted."""
    private: bool = False
    """Make the repository private, if it does not exist on the Hub yet."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""
    version: str | None = None
    """Number to give, such as 2.0.0. Default: a new major version where schema or method
    changed, a minor one where rows changed or another family was added, a patch where only the
    card changed, and none where nothing changed."""
    license: str | None = None
    """Licence identifier of the dataset for its card, such as apache-2.0. Default: the card
    states none."""
    language: str | None = None
    """Language code for the card, such as en."""
    shard_mb: int = SHARD_MB
    """Split a config's Parquet file into parts of about this many megabytes."""
    dry_run: bool = False
    """Print which version it would be. Write nothing."""


@dataclass(frozen=True)
class VersionsSettings:
    """List the versions of a dataset."""

    positional: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    """Name of the dataset."""
    hub: bool = False
    """Look on the Hub."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


@dataclass(frozen=True)
class DiffSettings:
    """Print what changed between two versions: columns, rows, counts, teacher, sampling."""

    positional: ClassVar[tuple[str, ...]] = ("old", "new")

    old: str
    """A version, such as ORG/NAME@1.0.0; without a number, the newest."""
    new: str
    """The version to compare with it."""
    hub: bool = False
    """Look on the Hub."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


@dataclass(frozen=True)
class PullSettings:
    """Copy a version from the Hub into the local store, and check its hashes."""

    positional: ClassVar[tuple[str, ...]] = ("reference",)

    reference: str
    """The version, such as ORG/NAME@1.0.0; without a number, the newest."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


@dataclass(frozen=True)
class VerifySettings:
    """Recompute every hash of a version, and print whether it is as published."""

    positional: ClassVar[tuple[str, ...]] = ("reference",)

    reference: str
    """The version, such as ORG/NAME@1.0.0; without a number, the newest."""
    hub: bool = False
    """Look on the Hub."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""
