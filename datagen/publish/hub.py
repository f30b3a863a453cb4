"""Versions on the Hub: a commit, and a tag vX.Y.Z at it.

A publisher looks at the repository, commits the files of the next version at once on top of the
head that it saw (the Hub refuses it where another was faster), and tags that commit. What the
newest version holds of other families stays in the tree. Killed between commit and tag, it leaves a
commit "Publish X.Y.Z" without a tag; whoever publishes next, the same command again or another's,
first tags that. So one version is finished before the next begins. Any failure is met by looking
again: the repository is the only memory, and what had come through is found there. A tag is made
once and never moved.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.publish.folder import SHARD_MB, write_folder
from datagen.publish.local import plan
from datagen.versions.connection import connect, retry
from datagen.versions.hub import RepoState, check_hub_name, read_state, version_at, versions_at
from datagen.versions.number import FIRST, Number, parse, show
from datagen.versions.version import Version

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

MESSAGE = re.compile(r"Publish (\d+\.\d+\.\d+)")
"""Title of the commit that makes a version."""
NEUTRAL = {".gitattributes", "README.md", "LICENSE"}
"""Files that a repository may hold before its first version."""


def publish(
    run: Path,
    lineage: dict[str, Any],
    *,
    wanted: str | None = None,
    private: bool = False,
    shard_mb: int = SHARD_MB,
) -> tuple[Version, bool]:
    """Put a run's lineage and rows on the Hub.

    Returns the version, and whether this call made or finished it.

    `wanted` asks for a number; it is refused where it exists. `private` is for a repository that
    does not exist yet. Raises UserError.
    """
    name = check_hub_name(lineage["name"])
    api = connect(name, write=True)
    before = retry(lambda: read_or_create(api, name, private=private), name)

    def next_version() -> Version:
        state = complete_tagging(api, name, read_state(api, name))
        existing = versions_at(api, name, state)
        found = plan(lineage, existing, wanted)
        if isinstance(found, Version):
            return found
        number, kept = parse(found["version"]) or FIRST, dict(found["files"])
        with tempfile.TemporaryDirectory(prefix="datagen-") as scratch:
            folder = Path(scratch) / show(number)
            write_folder(folder, run, found, shard_mb=shard_mb)
            commit = commit_folder(
                api, name, folder, kept, state, existing, message=f"Publish {show(number)}"
            )
        tag(api, name, number, commit)
        return version_at(api, name, number, commit)

    version = retry(next_version, name)
    return version, parse(version.version) not in before.tags


def planned(lineage: dict[str, Any], *, wanted: str | None = None) -> Version | dict[str, Any]:
    """The version that holds a run's content already, or the lineage that it would get; nothing is
    written.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    name = check_hub_name(lineage["name"])
    api = connect(name, write=True)

    def existing() -> list[Version]:
        try:
            return versions_at(api, name, read_state(api, name))
        except RepositoryNotFoundError:
            return []

    return plan(lineage, retry(existing, name), wanted)


def read_or_create(api: HfApi, name: str, *, private: bool) -> RepoState:
    """The repository, made where there is none.

    Raises UserError where it is public and should be private.
    """
    if not api.repo_exists(name, repo_type="dataset"):
        create(api, name, private=private)
    state = read_state(api, name)
    if private and not api.repo_info(name, repo_type="dataset").private:
        raise UserError(
            f"{name} on the Hub is public: make it private on its page, or leave out --private"
        )
    return state


def create(api: HfApi, name: str, *, private: bool, kind: str = "dataset") -> None:
    """Make a repository, where nobody did meanwhile.

    (`exist_ok` needs the Hub's answer to a conflict in one form.)
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_repo(name, repo_type=kind, private=private)
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise


def complete_tagging(api: HfApi, name: str, state: RepoState) -> RepoState:
    """Tag what a publisher committed and did not come to tag."""
    found = find_untagged(api, name, state)
    if found is None:
        return state
    number, commit = found
    tag(api, name, number, commit)
    return RepoState(state.head, state.tags | {number: commit})


def find_untagged(api: HfApi, name: str, state: RepoState) -> tuple[Number, str] | None:
    """The newest commit of a publisher, where its version is newer than every tag.

    An older version without a tag is left as it is: somebody took its tag away.
    """
    for commit in api.list_repo_commits(name, repo_type="dataset", revision=state.head):
        title = MESSAGE.fullmatch(commit.title)
        number = parse(title[1]) if title else None
        if number is not None:
            newer = all(number > other for other in state.tags)
            return (
                (number, commit.commit_id)
                if newer and is_version(api, name, number, commit.commit_id)
                else None
            )
    return None


def is_version(api: HfApi, name: str, number: Number, commit: str) -> bool:
    """Whether a commit with a publisher's title holds that version indeed."""
    try:
        version_at(api, name, number, commit)
    except UserError:
        return False
    return True


def tag(api: HfApi, name: str, number: Number, commit: str) -> None:
    """Tag a commit. Raises UserError where the tag is at another one."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_tag(name, tag=f"v{show(number)}", revision=commit, repo_type="dataset")
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise
        if read_state(api, name).tags.get(number) != commit:
            raise UserError(
                f"{name} has a tag v{show(number)} at another commit; a tag is never moved"
            ) from None


def commit_folder(
    api: HfApi,
    name: str,
    folder: Path,
    kept: dict[str, Any],
    state: RepoState,
    existing: list[Version],
    *,
    message: str,
) -> str:
    """Commit the files of a version in place of its predecessor's, of which those in `kept` (by
    hash and size) stay as they are. Returns the commit's hash.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    new = {
        file.relative_to(folder).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    tree = api.list_repo_tree(name, recursive=True, revision=state.head, repo_type="dataset")
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    if not existing and (foreign := sorted(there.keys() - NEUTRAL)):
        raise UserError(
            f"{name} on the Hub holds files that are no version ({foreign[0]}, ...): choose "
            "another name"
        )
    for path, expected in kept.items():
        if path not in there or not is_unchanged(there[path], expected):
            raise UserError(
                f"{name} on the Hub: {path} was changed since {existing[-1].version}: restore "
                "it on main"
            )
    old = {path for version in existing for path in version.lineage["files"]} & there.keys()
    gone = sorted(old - new.keys() - kept.keys())
    operations: list[Any] = [CommitOperationDelete(path, is_folder=False) for path in gone]
    operations += [CommitOperationAdd(path, file) for path, file in new.items()]
    return api.create_commit(
        name,
        operations,
        commit_message=message,
        repo_type="dataset",
        revision="main",
        parent_commit=state.head,
    ).oid


def is_unchanged(entry: RepoFile, expected: dict[str, Any]) -> bool:
    """Whether a file of the branch has the size and, where the Hub tells it, the hash that a
    lineage names.
    """
    return entry.size == expected["bytes"] and (
        entry.lfs is None or entry.lfs.sha256 == expected["sha256"]
    )
