"""Versions on the Hub: a tag vX.Y.Z at the commit that holds the files."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.versions.connection import connect, retry
from datagen.versions.lineage import RUN_KEYS
from datagen.versions.local import changed, check_name, open_version
from datagen.versions.number import Number, parse, show
from datagen.versions.parquet import file_sha256
from datagen.versions.version import Version

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile


@dataclass(frozen=True)
class RepoState:
    """The branch and the tags of a repository at one moment."""

    head: str
    """Commit of the branch main."""
    tags: dict[Number, str]
    """The commit of each version, oldest version first."""


def check_hub_name(name: str) -> str:
    """Return the name if the Hub can have a repository of that name.

    Raises:
        UserError: the name is not ORG/NAME.
    """
    check_name(name)
    if "/" not in name:
        raise UserError(f"{name!r}: on the Hub a name is ORG/NAME, or USER/NAME")
    return name


def read_state(api: HfApi, name: str) -> RepoState:
    """Return the branch and the tags of a repository as they are now.

    Raises:
        UserError: the repository has no branch main.
    """
    refs = api.list_repo_refs(name, repo_type="dataset")
    head = next((branch.target_commit for branch in refs.branches if branch.name == "main"), None)
    if head is None:
        raise UserError(f"{name} on the Hub has no branch main")

    # a repository may have other tags too: they are no versions
    tags = {number: tag.target_commit for tag in refs.tags if (number := number_of(tag.name))}
    return RepoState(head, dict(sorted(tags.items())))


def number_of(tag_name: str) -> Number | None:
    """Return the version number that a tag is for, or None for another tag."""
    return parse(tag_name) if tag_name.startswith("v") else None


def versions_at(api: HfApi, name: str, state: RepoState) -> list[Version]:
    """Return all versions of a repository, oldest first."""
    return [version_at(api, name, number, commit) for number, commit in state.tags.items()]


def version_at(api: HfApi, name: str, number: Number, commit: str) -> Version:
    """Return the version at a commit. Only its card and its lineage are downloaded.

    The files are asked for by commit, not by tag, so a cached copy is always the right one.

    Args:
        api: the client.
        name: the repository.
        number: the number that the tag states.
        commit: the commit of the tag.

    Raises:
        UserError: the commit does not hold that version.
    """
    from huggingface_hub.errors import RemoteEntryNotFoundError

    tag = f"the tag v{show(number)} of {name}"
    try:
        for file in ("README.md", "lineage.json"):
            path = Path(api.hf_hub_download(name, file, repo_type="dataset", revision=commit))
    except RemoteEntryNotFoundError:
        raise UserError(f"{tag} was not made by `datagen publish`: no {file}") from None

    version = open_version(path.parent)
    if not is_well_formed(version.lineage):
        raise UserError(f"{tag} has a lineage.json that `datagen publish` did not write")
    if parse(version.version) != number:
        raise UserError(f"{tag} stands at version {version.version}")
    return dataclasses.replace(version, name=name, commit=commit)


def is_well_formed(lineage: dict[str, Any]) -> bool:
    """Return whether the parts of a lineage that are read here have the right types.

    Anybody can write a lineage.json into a repository, so it is checked before it is used.
    """
    try:
        runs = lineage["runs"].values()
        return all(map(is_run, runs)) and all(map(is_file, lineage["files"].values()))
    except (AttributeError, KeyError, TypeError):
        return False


def is_run(run: dict[str, Any]) -> bool:
    """Return whether a run of a lineage has all keys, and configs with columns, rows and a hash."""
    return (
        run.keys() >= set(RUN_KEYS)
        and isinstance(run["teacher"]["name"], str)
        and all(map(is_config, run["configs"].values()))
    )


def is_config(config: dict[str, Any]) -> bool:
    """Return whether a config of a run has columns, a number of rows and their hash."""
    return (
        bool(config["columns"].keys())
        and config["rows"] >= 0
        and isinstance(config["rows_sha256"], str)
    )


def is_file(file: dict[str, Any]) -> bool:
    """Return whether the entry of a file has its hash and its size in bytes."""
    return isinstance(file["sha256"], str) and file["bytes"] >= 0


def versions_of(name: str) -> list[Version]:
    """Return all versions of a name on the Hub, oldest first.

    Raises:
        UserError: there is no such repository, or it cannot be read.
    """
    api = connect(check_hub_name(name))
    return retry(lambda: versions_at(api, name, read_state(api, name)), name)


def resolve(reference: str) -> Version:
    """Return the version on the Hub that a reference means now.

    Args:
        reference: ORG/NAME@1.0.0, or ORG/NAME for the newest version.

    Raises:
        UserError: there is no such version, or it cannot be read.
    """
    name, _, wanted = reference.partition("@")
    api = connect(check_hub_name(name))

    tags = retry(lambda: read_state(api, name), name).tags
    if not tags:
        raise UserError(f"{name} on the Hub has no version: no tag of the form v1.0.0")

    number = parse(wanted) if wanted else max(tags)
    if number is None or number not in tags:
        raise UserError(
            f"{name} has no version {wanted!r} on the Hub; it has: {', '.join(map(show, tags))}"
        )
    return retry(lambda: version_at(api, name, number, tags[number]), name)


def download(version: Version, folder: Path | None = None) -> None:
    """Download all files of a version from its commit on the Hub.

    Args:
        version: a version on the Hub.
        folder: where the files go. Default: the client's cache.

    Raises:
        UserError: a file cannot be read, or its name leads out of the folder.
    """
    api = connect(version.name)
    files = [*version.lineage["files"], "lineage.json"]

    # the names come from a file that anybody can write, so no byte is written before this check
    for file in files:
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise UserError(
                f"{version.name}@{version.version}: lineage.json names a file outside: {file!r}"
            )

    for file in files:
        retry(partial(fetch, api, version, file, folder), version.name)
    if folder is not None:
        # the client leaves notes of its own next to the files
        shutil.rmtree(folder / ".cache", ignore_errors=True)


def fetch(api: HfApi, version: Version, file: str, folder: Path | None) -> None:
    """Download one file of a version into a folder, or into the client's cache."""
    api.hf_hub_download(
        version.name, file, repo_type="dataset", revision=version.commit, local_dir=folder
    )


def verify_commit(version: Version) -> None:
    """Compare the downloaded files of a version with those of its commit on the Hub.

    Raises:
        UserError: a file differs from the commit, or the commit has a further Parquet file.
    """
    api = connect(version.name)
    tree = retry(lambda: read_tree(api, version.name, str(version.commit)), version.name)
    for name in [*version.lineage["files"], "lineage.json"]:
        if name not in tree or hash_in_commit(version.path / name, tree[name]) != oid(tree[name]):
            raise changed(version, name)
    for name in sorted(tree.keys() - version.lineage["files"].keys()):
        if name.endswith(".parquet") and name.partition("/")[0] in version.configs:
            raise UserError(f"{version.name}@{version.version}: {name} was added to its commit")


def read_tree(api: HfApi, name: str, commit: str) -> dict[str, RepoFile]:
    """Return the files of a commit by path."""
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(name, recursive=True, revision=commit, repo_type="dataset")
    return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}


def oid(entry: RepoFile) -> str:
    """Return the hash that a commit states for a file."""
    return str(entry.lfs.sha256 if entry.lfs else entry.blob_id)


def hash_in_commit(file: Path, entry: RepoFile) -> str:
    """Return the hash of a file as a commit states it: of large-file storage, or of git."""
    if entry.lfs:
        return file_sha256(file)
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
