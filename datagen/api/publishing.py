"""Versions as functions: publish, list, compare, pull and verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datagen.api.settings import settings_from, takes
from datagen.api.version import Version
from datagen.inspect.command import inspect_run as write_page
from datagen.inspect.settings import InspectSettings
from datagen.publish import command
from datagen.publish.command import Comparison
from datagen.publish.settings import (
    DiffSettings,
    PublishSettings,
    PullSettings,
    VerifySettings,
    VersionsSettings,
)


@takes(PublishSettings, "dry_run")
def publish_run(run: str | Path | Any, name: str, **flags: Any) -> Version:
    """Make an immutable, numbered version of a finished run.

    Returns:
        The version. The same content again gives the version that holds it already.

    Raises:
        UserError: the run is not finished, or the name or the number cannot be used.

    Example:
        >>> import datagen
        >>> datagen.publish_run(folder / "chains", "copy", store=folder / "store").version
        '1.0.0'
    """
    settings = settings_from(PublishSettings, {"run": run, "name": name, **flags})
    return Version.of(command.publish_run(settings).version)


@takes(VersionsSettings)
def list_versions(name: str, **flags: Any) -> list[Version]:
    """All versions of a dataset, oldest first.

    Raises:
        UserError: there is no dataset of that name.

    Example:
        >>> import datagen
        >>> [v.version for v in datagen.list_versions("copy", store=folder / "store")]
        ['1.0.0']
    """
    settings = settings_from(VersionsSettings, {"name": name, **flags})
    return [Version.of(version) for version in command.list_versions(settings)]


@takes(DiffSettings)
def compare_versions(old: str, new: str, **flags: Any) -> Comparison:
    """What changed between two versions: columns, rows, counts by reason, teacher, sampling.

    Raises:
        UserError: one of them does not exist.

    Example:
        >>> import datagen
        >>> store = folder / "store"
        >>> datagen.compare_versions("copy@1.0.0", "copy", store=store).lines
        ()
    """
    return command.compare_versions(settings_from(DiffSettings, {"old": old, "new": new, **flags}))


@takes(PullSettings)
def pull_version(reference: str, **flags: Any) -> Version:
    """Bring a version of the Hub into the local store, its hashes checked.

    Raises:
        UserError: the Hub has no such version, or the store has another of that number.

    Example:
        >>> import datagen
        >>> datagen.pull_version("no-organisation")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: 'no-organisation': on the Hub a name is ORG/NAME, or USER/NAME
    """
    settings = settings_from(PullSettings, {"reference": reference, **flags})
    return Version.of(command.pull_version(settings).version)


@takes(VerifySettings)
def verify_version(reference: str, **flags: Any) -> Version:
    """Recompute every hash of a version.

    Returns:
        The version, if it is as it was published.

    Raises:
        UserError: a file differs; the first is named.

    Example:
        >>> import datagen
        >>> datagen.verify_version("copy", store=folder / "store").reference
        'copy@1.0.0'
    """
    settings = settings_from(VerifySettings, {"reference": reference, **flags})
    return Version.of(command.verify_version(settings))


@takes(InspectSettings)
def inspect_run(run: str | Path | Any, **flags: Any) -> Path:
    """Write one HTML page about a run or a version: counts, lengths, samples, search.

    Returns:
        The page.

    Raises:
        UserError: there is no run in that folder.

    Example:
        >>> import datagen
        >>> datagen.inspect_run(folder / "chains").name
        'inspect.html'
    """
    return write_page(settings_from(InspectSettings, {"run": run, **flags}))
