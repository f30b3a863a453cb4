"""Publishing on the Hub: one commit for each version, and a tag vX.Y.Z at it.

A publisher reads the state of the repository and commits all files of the next version at once, on
top of the head that it read. The Hub refuses the commit if another publisher was faster. Then the
publisher tags the commit. Files of other families stay in the tree.

A publisher that is killed between commit and tag leaves a commit "Publish X.Y.Z" without a tag. The
next publisher tags it first, whichever run it publishes. So one version is complete before the next
begins.

After any failure the publisher reads the repository again, because a request whose answer was lost
may have succeeded. The repository is the only memory. A tag is made once and never moved.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.publish.folder import SHARD_MB, write_folder
from datagen.publish.local import plan
from datagen.scratch import scratch_folder
from datagen.versions.connection import connect, retry
from datagen.versions.hub import (
    RepoState,
    check_hub_name,
    read_state,
    read_tree,
    version_at,
    versions_at,
)
from datagen.versions.number import FIRST, Number, parse, show
from datagen.versions.version import Version

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

MESSAGE = re.compile(r"Publish (\d+\.\d+\.\d+)")
"""Title of the commit that makes a version."""
NEUTRAL = {".gitattributes", "README.md", "LICENSE"}
"""Files that a repository may hold before its first version. One that was created on the Hub's page
can have them."""


def publish(
    run: Path,
    lineage: dict[str, Any],
    *,
    wanted: str | None = None,
    private: bool = False,
    shard_mb: int = SHARD_MB,
) -> tuple[Version, bool]:
    """Put the lineage and the rows of a run on the Hub.

    Args:
        run: the run folder.
        lineage: the lineage of that run alone.
        wanted: the number of the new version. Default: the next one.
        private: make the repository private, if it does not exist yet.
        shard_mb: megabytes (10^6 bytes) above which a Parquet file is split.

    Returns:
        The version, and whether this call made or completed it.

    Raises:
        UserError: the number exists or is too low, or the Hub refuses.
    """
    name = check_hub_name(lineage["name"])
    api = connect(name, write=True)
    before = retry(lambda: read_or_create(api, name, private=private), name)

    # all of it is tried again after a failure, so each attempt sees what the last one achieved
    def next_version() -> Version:
        state = complete_tagging(api, name, read_state(api, name))
        existing = versions_at(api, name, state)
        found = plan(lineage, existing, wanted)
        if isinstance(found, Version):
            return found

        number = parse(found["version"]) or FIRST
        # copied, because `write_folder` adds the new files to the lineage
        kept = dict(found["files"])
        with scratch_folder() as scratch:
            folder = scratch / show(number)
            write_folder(folder, run, found, shard_mb=shard_mb)
            commit = commit_folder(
                api, name, folder, kept, state, existing, message=f"Publish {show(number)}"
            )
        tag(api, name, number, commit)
        return version_at(api, name, number, commit)

    version = retry(next_version, name)
    return version, parse(version.version) not in before.tags


def planned(lineage: dict[str, Any], *, wanted: str | None = None) -> Version | dict[str, Any]:
    """Return the version that holds a run already, or the lineage of the version to make.

    Nothing is written.

    Args:
        lineage: the lineage of the run alone.
        wanted: the number of the new version. Default: the next one.

    Raises:
        UserError: the number exists or is too low, or the Hub cannot be read.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    name = check_hub_name(lineage["name"])
    api = connect(name, write=True)

    def existing() -> list[Version]:
        # the first publication makes the repository
        try:
            return versions_at(api, name, read_state(api, name))
        except RepositoryNotFoundError:
            return []

    return plan(lineage, retry(existing, name), wanted)


def read_or_create(api: HfApi, name: str, *, private: bool) -> RepoState:
    """Return the state of the repository, and create it if it does not exist.

    Raises:
        UserError: the user asked for a private repository, and it is public.
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
    """Create a repository. It is no error if it exists by now.

    Args:
        api: the client.
        name: ORG/NAME.
        private: whether the repository is private.
        kind: "dataset" or "model".
    """
    from huggingface_hub.errors import HfHubHTTPError

    # not `exist_ok`: the client then expects one form of the Hub's answer to a conflict
    try:
        api.create_repo(name, repo_type=kind, private=private)
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise


def complete_tagging(api: HfApi, name: str, state: RepoState) -> RepoState:
    """Tag the commit that a killed publisher left without a tag, and return the new state."""
    found = find_untagged(api, name, state)
    if found is None:
        return state
    number, commit = found
    tag(api, name, number, commit)
    return RepoState(state.head, state.tags | {number: commit})


def find_untagged(api: HfApi, name: str, state: RepoState) -> tuple[Number, str] | None:
    """Return number and commit of the newest version if its tag is missing, or else None."""
    for commit in api.list_repo_commits(name, repo_type="dataset", revision=state.head):
        title = MESSAGE.fullmatch(commit.title)
        number = parse(title[1]) if title else None
        if number is None:
            continue

        # if an older version has no tag, somebody removed the tag on purpose
        newest = all(number > other for other in state.tags)
        if newest and holds_version(api, name, number, commit.commit_id):
            return number, commit.commit_id
        return None
    return None


def holds_version(api: HfApi, name: str, number: Number, commit: str) -> bool:
    """Return whether a commit holds that version. Anybody can write a commit with such a title."""
    try:
        version_at(api, name, number, commit)
    except UserError:
        return False
    return True


def tag(api: HfApi, name: str, number: Number, commit: str) -> None:
    """Tag a commit with a version number.

    Raises:
        UserError: the tag exists at another commit.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_tag(name, tag=f"v{show(number)}", revision=commit, repo_type="dataset")
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise
        # the tag is there already: an answer was lost, or another publisher made it
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
    """Commit the files of a version in place of those of the version before.

    Args:
        api: the client.
        name: the repository.
        folder: the new files.
        kept: files of the version before that stay, with hash and size.
        state: the repository as it was read. The commit is refused if its head has moved.
        existing: all versions of the repository, oldest first.
        message: the title of the commit.

    Returns:
        The hash of the commit.

    Raises:
        UserError: the repository holds other files, or a file that stays was changed.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    files = sorted(file for file in folder.rglob("*") if file.is_file())
    new = {file.relative_to(folder).as_posix(): file for file in files}
    tree = read_tree(api, name, state.head)
    check_tree(name, tree, kept, existing)

    # only files of versions are deleted, never what a person added to the branch
    old = tree.keys() & set().union(*(version.lineage["files"] for version in existing))
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


def check_tree(
    name: str, tree: dict[str, RepoFile], kept: dict[str, Any], existing: list[Version]
) -> None:
    """Check that a version can be committed on top of these files.

    Raises:
        UserError: the repository holds other files, or a file that stays was changed.
    """
    if not existing and (foreign := sorted(tree.keys() - NEUTRAL)):
        raise UserError(
            f"{name} on the Hub holds files that are no version ({foreign[0]}, ...): choose "
            "another name"
        )
    for path, expected in kept.items():
        if path not in tree or not is_unchanged(tree[path], expected):
            raise UserError(
                f"{name} on the Hub: {path} was changed since {existing[-1].version}: restore "
                "it on main"
            )


def is_unchanged(entry: RepoFile, expected: dict[str, Any]) -> bool:
    """Return whether a file of the branch has the size and the hash that a lineage states."""
    # the Hub states a SHA-256 only for files in its large-file storage
    same_hash = entry.lfs is None or entry.lfs.sha256 == expected["sha256"]
    return entry.size == expected["bytes"] and same_hash
