"""What a Hub holds: repositories of commits, branches and tags, and the large files beside them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any


class Refusal(Exception):
    """An answer other than 200: its status, the Hub's word for it (header X-Error-Code), and a
    sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Blob:
    """A file: its bytes where it is a regular one, its hash alone where it is a large one (LFS)."""

    size: int
    oid: str
    content: bytes | None = None

    @property
    def large(self) -> bool:
        return self.content is None


def regular(content: bytes) -> Blob:
    """A regular file, named by git's hash of a blob."""
    return Blob(
        len(content), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), content
    )


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: Commit | None
    title: str
    files: dict[str, Blob]


def root() -> Commit:
    """The commit that a new repository begins with."""
    return Commit(
        secrets.token_hex(20),
        None,
        "initial commit",
        {".gitattributes": regular(b"*.parquet lfs\n")},
    )


@dataclass
class Repository:
    id: str
    private: bool = False
    kind: str = "datasets"
    main: Commit = field(default_factory=root)
    tags: dict[str, Commit] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its address on the Hub."""
        return f"datasets/{self.id}" if self.kind == "datasets" else self.id

    def commits(self) -> list[Commit]:
        """From the newest to the first."""
        found, commit = [], self.main
        while commit is not None:
            found.append(commit)
            commit = commit.parent
        return found

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag or a hash means."""
        named = {"main": self.main, **self.tags} | {commit.oid: commit for commit in self.commits()}
        if revision not in named:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return named[revision]

    def file(self, revision: str, path: str) -> Blob:
        files = self.at(revision).files
        if path not in files:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        return files[path]

    def tag(self, name: str, revision: str) -> None:
        commit = self.at(revision)
        if name in self.tags:
            raise Refusal(409, "", f"Tag reference exists already: {name}")
        self.tags[name] = commit

    def commit(self, lines: list[dict[str, Any]], sizes: dict[str, int]) -> Commit:
        """Apply the lines of a commit request. `sizes`: the large files that were uploaded."""
        header = lines[0]["value"]
        if header.get("parentCommit", self.main.oid) != self.main.oid:
            raise Refusal(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(self.main.files)
        for line in lines[1:]:
            apply(files, line["key"], line["value"], sizes)
        self.main = Commit(secrets.token_hex(20), self.main, header["summary"], files)
        return self.main


def apply(files: dict[str, Blob], key: str, value: dict[str, Any], sizes: dict[str, int]) -> None:
    path = value["path"]
    if key == "file":
        files[path] = regular(base64.b64decode(value["content"]))
    elif key == "lfsFile":
        if sizes.get(value["oid"]) != value["size"]:
            raise Refusal(400, "", f"LFS pointer to a file that was not uploaded: {path}")
        files[path] = Blob(value["size"], value["oid"])
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise Refusal(404, "EntryNotFound", "A file with this name doesn't exist")
    else:
        raise Refusal(400, "", f"an operation that this server does not know: {key}")


def folders_of(path: str, prefix: str) -> list[str]:
    """The folders of a path below the prefix: "a/b/c" lies in "a" and "a/b"."""
    parts = path[len(prefix) :].split("/")[:-1]
    return [prefix + "/".join(parts[: n + 1]) for n in range(len(parts))]


def entry(path: str, blob: Blob) -> dict[str, Any]:
    pointer = regular(b"version https://git-lfs.github.com/spec/v1\n" + blob.oid.encode()).oid
    lfs = {"lfs": {"oid": blob.oid, "size": blob.size, "pointerSize": 130}} if blob.large else {}
    return {
        "type": "file",
        "path": path,
        "size": blob.size,
        "oid": pointer if blob.large else blob.oid,
        **lfs,
    }


def upload_mode(asked: dict[str, Any], there: Blob | None) -> dict[str, Any]:
    large = asked["path"].endswith((".parquet", ".safetensors")) or asked["size"] > 10_000_000
    return {
        "path": asked["path"],
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": False,
        "oid": there.oid if there else None,
    }
