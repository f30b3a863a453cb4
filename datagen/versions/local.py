"""Versions in a local store: STORE/NAME/1.0.0, a folder that `datasets.load_dataset` opens."""

from __future__ import annotations

import os
import re
from pathlib import Path

from datagen.errors import UserError
from datagen.versions.lineage import (
    VERSION_HASH,
    content_of,
    content_sha256,
    read_lineage,
    version_sha256,
)
from datagen.versions.number import parse
from datagen.versions.parquet import describe, file_sha256
from datagen.versions.version import Version

NAME = re.compile(r"(?=.{1,96}$)\w([\w.-]*\w)?(/\w([\w.-]*\w)?)?", re.ASCII)
"""What the Hub accepts as a repository's name (huggingface_hub's `validate_repo_id`). A local name
follows the same rule, so that it can be published on the Hub later."""


def default_store() -> Path:
    """Return the folder of the store: $EMERGENT_STORE, or else ./datasets."""
    return Path(os.environ.get("EMERGENT_STORE", "datasets"))


def check_name(name: str) -> None:
    """Check the name of a dataset.

    Raises:
        UserError: the name is not allowed.
    """
    # a part that looks like a version would be read as a version's folder
    is_version = any(map(parse, name.split("/")))
    forbidden = ".." in name or "--" in name or name.endswith(".git") or is_version

    if not NAME.fullmatch(name) or forbidden:
        raise UserError(
            f"{name!r} is no dataset name: letters, digits, '-', '_' and '.', with at most one "
            "'/'; "
            "no part starts or ends with '-' or '.', holds '--' or '..', ends in .git or is a "
            "version"
        )


def versions_of(name: str, *, store: Path | None = None) -> list[Version]:
    """Return all versions of a name in the store, oldest first.

    Args:
        name: the name of a dataset.
        store: the folder of the store. Default: `default_store()`.

    Returns:
        The versions. The list is empty if there is no such dataset.
    """
    folder = (store or default_store()) / name
    if not folder.is_dir():
        return []
    numbers = [(parse(path.name), path) for path in folder.iterdir() if path.is_dir()]

    # other folders may be there: ORG/NAME lies below ORG, and a publisher writes to a hidden one
    found = sorted((number, path) for number, path in numbers if number is not None)
    return [open_version(path) for _, path in found]


def open_version(path: Path) -> Version:
    """Return the version in a folder. Its files are not checked.

    Raises:
        UserError: the lineage is missing or damaged.
    """
    lineage = read_lineage(path)
    return Version(lineage["name"], lineage["version"], path, lineage["content_sha256"], lineage)


def resolve(reference: str, *, store: Path | None = None) -> Version:
    """Return the version in the store that a reference means, with all its files in place.

    The sizes of the files are compared with the lineage. `verify` compares their hashes too.

    Args:
        reference: NAME@1.0.0, NAME for its newest version, or a version's folder.
        store: the folder of the store. Default: `default_store()`.

    Raises:
        UserError: there is no such version, or a file is missing or has another size.
    """
    if (Path(reference) / "lineage.json").is_file():
        return check_files(open_version(Path(reference)))
    if reference.startswith(("/", "./", "../", "~")):
        raise UserError(f"{reference} is no version folder: it has no lineage.json")

    name, _, number = reference.partition("@")
    check_name(name)
    found = versions_of(name, store=store)
    if not found:
        raise UserError(
            f"no dataset {name!r} in {store or default_store()}; it holds: "
            f"{', '.join(names(store)) or 'nothing'}. There is no folder {reference} either"
        )

    if not number:
        return check_files(found[-1])
    for version in found:
        if parse(version.version) == parse(number):
            return check_files(version)
    raise UserError(
        f"{name} has no version {number!r}; it has: {', '.join(v.version for v in found)}"
    )


def names(store: Path | None = None) -> list[str]:
    """Return the names in a store that have a version, sorted."""
    folder = store or default_store()
    # NAME/1.0.0 and ORG/NAME/1.0.0
    files = [*folder.glob("*/*/lineage.json"), *folder.glob("*/*/*/lineage.json")]
    # a publisher that was killed can leave a hidden folder, which is no version
    versions = [file.parent for file in files if parse(file.parent.name)]
    return sorted({version.parent.relative_to(folder).as_posix() for version in versions})


def check_files(version: Version) -> Version:
    """Return the version if its folder holds the files of its lineage, in their sizes.

    Raises:
        UserError: a file is missing or has another size, or a Parquet file was added.
    """
    files = version.lineage["files"]
    for name, expected in files.items():
        file = version.path / name
        if not file.is_file():
            raise UserError(f"{version.name}@{version.version}: {name} is missing")
        if file.stat().st_size != expected["bytes"]:
            raise changed(version, name)

    # `load_dataset` may read every Parquet file in the folder, so an added one adds rows
    for file in sorted(version.path.rglob("*.parquet")):
        name = file.relative_to(version.path).as_posix()
        if name not in files:
            raise UserError(
                f"{version.name}@{version.version}: {name} was added after it was published"
            )
    return version


def changed(version: Version, name: str) -> UserError:
    """Return the error for a file that is not as it was published."""
    return UserError(f"{version.name}@{version.version}: {name} was changed after it was published")


def verify(version: Version) -> None:
    """Recompute the hash of the version, of every file, and of the rows of every run.

    A version of an earlier release has no hash of its own: `uncovered` says so.

    Raises:
        UserError: a hash differs from the lineage. The message names the first such file.
    """
    lineage = check_files(version).lineage
    if VERSION_HASH in lineage and lineage[VERSION_HASH] != version_sha256(lineage):
        raise changed(version, "lineage.json")
    for name, expected in lineage["files"].items():
        if file_sha256(version.path / name) != expected["sha256"]:
            raise changed(version, name)

    # of an earlier release too, the rows must give the content hashes that the lineage states
    for family, run in lineage["runs"].items():
        configs = dict(run["configs"])
        for config in configs:
            files = version.files_of(config, family)
            # a config without rows has no file
            if files:
                configs[config] = describe(*files)
        if content_sha256(run["method"], configs) != run["content_sha256"]:
            raise changed(version, "lineage.json")
    if content_of(lineage["runs"]) != version.content_sha256:
        raise changed(version, "lineage.json")


def uncovered(version: Version) -> str | None:
    """Return what `verify` could not check, in words, or None if it checked everything."""
    if VERSION_HASH in version.lineage:
        return None
    return (
        "not covered: an earlier release wrote lineage.json, without a hash of it, so what it "
        "states of teacher, settings and counts was not checked"
    )
