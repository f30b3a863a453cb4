"""Versions on the Hub: a tag vX.Y.Z at the commit that holds the files."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.versions.connection import connect, retried
from datagen.versions.lineage import RUN_KEYS
from datagen.versions.local import check_name, open_version
from datagen.versions.number import Number, parse, show
from datagen.versions.version import Version

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class State:
    """A repository at one moment."""

    head: str
    """Commit of the branch main."""
    tags: dict[Number, str]
    """Versions and the commits that they stand at."""


def checked(name: str) -> str:
    check_name(name)
    if "/" not in name:
        raise UserError(f"{name!r}: on the Hub a name is ORG/NAME, or USER/NAME")
    return name


def look(api: HfApi, name: str) -> State:
    refs = api.list_repo_refs(name, repo_type="dataset")
    head = next((branch.target_commit for branch in refs.branches if branch.name == "main"), None)
    if head is None:
        raise UserError(f"{name} on the Hub has no branch main")
    tags = {number: tag.target_commit for tag in refs.tags if (number := number_of(tag.name))}
    return State(head, dict(sorted(tags.items())))


def number_of(tag_name: str) -> Number | None:
    return parse(tag_name) if tag_name.startswith("v") else None


def versions_at(api: HfApi, name: str, state: State) -> list[Version]:
    return [version_at(api, name, number, commit) for number, commit in state.tags.items()]


def version_at(api: HfApi, name: str, number: Number, commit: str) -> Version:
    """A version by its commit, so that a cached copy is the right one.

    Raises UserError where the commit holds none.
    """
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        for file in ("README.md", "lineage.json"):
            path = Path(api.hf_hub_download(name, file, repo_type="dataset", revision=commit))
    except RemoteEntryNotFoundError:
        raise UserError(
            f"the tag v{show(number)} of {name} was not made by `datagen publish`: no {file}"
        ) from None
    version = open_version(path.parent)
    if not sound(version.lineage):
        raise UserError(
            f"the tag v{show(number)} of {name} has a lineage.json that `datagen publish` did "
            "not write"
        )
    if parse(version.version) != number:
        raise UserError(f"the tag v{show(number)} of {name} stands at version {version.version}")
    return dataclasses.replace(version, name=name, commit=commit)


def sound(lineage: dict[str, Any]) -> bool:
    """Whether what is read of a lineage has its form: it may be anybody's."""
    try:
        runs, files = lineage["runs"].values(), lineage["files"].values()
        configs = [config for run in runs for config in run["configs"].values()]
        return (
            all(
                run.keys() >= set(RUN_KEYS) and isinstance(run["teacher"]["name"], str)
                for run in runs
            )
            and all(isinstance(file["sha256"], str) and file["bytes"] >= 0 for file in files)
            and all(config["columns"].keys() and config["rows"] >= 0 for config in configs)
            and all(isinstance(config["rows_sha256"], str) for config in configs)
        )
    except (AttributeError, KeyError, TypeError):
        return False


def versions_of(name: str) -> list[Version]:
    """All versions of a name on the Hub, oldest first.

    Raises UserError where there is no such repository.
    """
    api = connect(checked(name))
    return retried(lambda: versions_at(api, name, look(api, name)), name)


def resolve(reference: str) -> Version:
    """The version that ORG/NAME@1.0.0 or ORG/NAME (its newest) means on the Hub now.

    Raises UserError.
    """
    name, _, wanted = reference.partition("@")
    api = connect(checked(name))
    tags = retried(lambda: look(api, name), name).tags
    if not tags:
        raise UserError(f"{name} on the Hub has no version: no tag of the form v1.0.0")
    number = parse(wanted) if wanted else max(tags)
    if number is None or number not in tags:
        raise UserError(
            f"{name} has no version {wanted!r} on the Hub; it has: {', '.join(map(show, tags))}"
        )
    return retried(lambda: version_at(api, name, number, tags[number]), name)


def download(version: Version, folder: Path | None = None) -> None:
    """All files of a version on the Hub, from its commit, into a folder, or into the client's
    cache. Raises UserError.
    """
    api = connect(version.name)
    files = [*version.lineage["files"], "lineage.json"]
    for file in files:
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise UserError(
                f"{version.name}@{version.version}: lineage.json names a file outside: {file!r}"
            )

    for file in files:
        retried(lambda file=file: fetch(api, version, file, folder), version.name)  # type: ignore[misc]
    if folder is not None:
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes


def fetch(api: HfApi, version: Version, file: str, folder: Path | None) -> None:
    api.hf_hub_download(
        version.name, file, repo_type="dataset", revision=version.commit, local_dir=folder
    )
