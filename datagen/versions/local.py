"""Versions in a folder: STORE/NAME/1.0.0, opened by plain `datasets.load_dataset`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from datagen.errors import UserError
from datagen.versions.lineage import content_of, content_sha256, read_lineage
from datagen.versions.number import parse
from datagen.versions.parquet import describe, file_sha256
from datagen.versions.version import Version

NAME = re.compile(r"(?=.{1,96}$)\w([\w.-]*\w)?(/\w([\w.-]*\w)?)?", re.ASCII)
"""What the Hub takes as a repository's name (huggingface_hub's `validate_repo_id`), so that a name
can move there."""


def default_store() -> Path:
    return Path(os.environ.get("EMERGENT_STORE", "datasets"))


def check_name(name: str) -> None:
    forbidden = (
        ".." in name or "--" in name or name.endswith(".git") or any(map(parse, name.split("/")))
    )
    if not NAME.fullmatch(name) or forbidden:
        raise UserError(
            f"{name!r} is no dataset name: letters, digits, '-', '_' and '.', with at most one "
            "'/'; "
            "no part starts or ends with '-' or '.', holds '--' or '..', ends in .git or is a "
            "version"
        )


def versions_of(name: str, *, store: Path | None = None) -> list[Version]:
    """All versions of a name, oldest first; empty where there is none."""
    folder = (store or default_store()) / name
    numbers = (
        [(parse(p.name), p) for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
    )
    found = sorted((number, path) for number, path in numbers if number is not None)
    return [open_version(path) for _, path in found]


def open_version(path: Path) -> Version:
    lineage = read_lineage(path)
    return Version(lineage["name"], lineage["version"], path, lineage["content_sha256"], lineage)


def resolve(reference: str, *, store: Path | None = None) -> Version:
    """The version that NAME@1.0.0, NAME (its newest) or a version's folder means; every file's size
    is checked.

    Raises UserError where there is none, or where a file is missing or of another size.
    """
    if (Path(reference) / "lineage.json").is_file():
        return complete(open_version(Path(reference)))
    if reference.startswith(("/", "./", "../", "~")):
        raise UserError(f"{reference} is no version folder: it has no lineage.json")
    name, _, number = reference.partition("@")
    check_name(name)
    found = versions_of(name, store=store)
    if not found:
        raise UserError(
            f"no dataset {name!r} in {store or default_store()}; it holds: "
            f"{', '.join(names(store)) or '-'}"
        )
    if not number:
        return complete(found[-1])
    for version in found:
        if parse(version.version) == parse(number):
            return complete(version)
    raise UserError(
        f"{name} has no version {number!r}; it has: {', '.join(v.version for v in found)}"
    )


def names(store: Path | None = None) -> list[str]:
    """The names in a store that have a version."""
    folder = store or default_store()
    files = [*folder.glob("*/*/lineage.json"), *folder.glob("*/*/*/lineage.json")]
    return sorted({file.parent.parent.relative_to(folder).as_posix() for file in files})


def complete(version: Version) -> Version:
    """The version, if all its files are there in their sizes and no Parquet file beside them.

    Raises UserError.
    """
    files = version.lineage["files"]
    for name, expected in files.items():
        file = version.path / name
        if not file.is_file():
            raise UserError(f"{version.name}@{version.version}: {name} is missing")
        if file.stat().st_size != expected["bytes"]:
            raise changed(version, name)
    for file in sorted(version.path.rglob("*.parquet")):
        if (name := file.relative_to(version.path).as_posix()) not in files:
            raise UserError(
                f"{version.name}@{version.version}: {name} was added after it was published"
            )
    return version


def changed(version: Version, name: str) -> UserError:
    return UserError(f"{version.name}@{version.version}: {name} was changed after it was published")


def verify(version: Version) -> None:
    """Recompute the hash of every file, and `content_sha256` of every run from its rows.

    Raises UserError naming the first that differs from the lineage.
    """
    lineage = complete(version).lineage
    for name, expected in lineage["files"].items():
        if file_sha256(version.path / name) != expected["sha256"]:
            raise changed(version, name)
    for family, run in lineage["runs"].items():
        files = {c: version.files_of(c, family) for c in run["configs"]}
        configs = {
            c: describe(*files[c]) if files[c] else described
            for c, described in run["configs"].items()
        }
        if content_sha256(run["method"], configs) != run["content_sha256"]:
            raise changed(version, "lineage.json")
    if content_of(lineage["runs"]) != version.content_sha256:
        raise changed(version, "lineage.json")
