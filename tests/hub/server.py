"""A Hub on this machine: what publishers and loaders of datasets and models call, spoken for the
real clients.

Large files (Parquet, weights) go through LFS, Xet is not offered. `Hub.fault` may spoil any
request: it is given the request's number and the name of its route, and says how (see `Hub`)."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.hub.repository import Blob, Refusal, Repository, entry, folders_of, upload_mode
from tests.hub.routes import WRITES, find, key

TOKEN = "hf_" + "m" * 34
"""The token of the user `me`, who may write to `me` and `org`."""
STRANGER = "hf_" + "s" * 34
"""The token of a user who may write to none of these."""
USERS = {TOKEN: ("me", ("me", "org")), STRANGER: ("stranger", ("stranger",))}


@dataclass
class Hub:
    """The state of the server; a test looks at it, and spoils requests by `fault(number, route)`,
    which says

    - None: all is well;
    - "500": refused with a server's error, nothing done;
    - "cut": the connection ends, nothing done;
    - "lost": done, and the connection ends before the answer;
    - "504": done, and a gateway answers with an error;
    - "slow": done, with the answer a moment later.
    """

    folder: Path
    """Where large files lie."""
    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    fault: Callable[[int, str], str | None] = lambda number, route: None
    routes: list[str] = field(default_factory=list)
    """The route of every request there was."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def repository(
        self, named: dict[str, str], user: tuple[str, tuple[str, ...]] | None, *, write: bool
    ) -> Repository:
        found = self.repositories.get(key(named))
        ours = user is not None and named["id"].split("/")[0] in user[1]
        if found is None or (found.private and not ours):
            raise Refusal(404 if user else 401, "RepoNotFound", "Repository not found")
        if write and not ours:
            raise Refusal(403, "", "Forbidden: you may not write to this repository")
        return found

    def sizes(self) -> dict[str, int]:
        return {
            file.name: file.stat().st_size for file in self.folder.iterdir() if len(file.name) == 64
        }

    def read(self, blob: Blob) -> bytes:
        return (self.folder / blob.oid).read_bytes() if blob.content is None else blob.content


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        route, named = find(self.command, url.path)
        body = self.body(route)
        with self.hub.lock:
            self.hub.routes.append(route)
            number = len(self.hub.routes)
        how = self.hub.fault(number, route)
        if how == "cut":
            return self.hang_up()
        try:
            if how == "500":
                raise Refusal(500, "", "an injected error")
            if named is None:
                raise Refusal(404, "", f"this server knows no {self.command} {url.path}")
            with self.hub.lock:
                status, headers, answer = self.respond(route, named, body, parse_qs(url.query))
        except Refusal as refusal:
            status, headers = (
                refusal.status,
                {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message},
            )
            answer = json.dumps({"error": refusal.message}).encode()
        if how == "slow":
            time.sleep(0.3)
        if how == "lost":
            return self.hang_up()
        if how == "504":
            status, headers, answer = 504, {}, b"{}"
        return self.send(status, headers, answer)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def respond(
        self, route: str, named: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Any:
        """Status, headers and body of an answer."""
        if route in ("put", "large"):
            return self.large(route, named["oid"])
        user = self.user()
        if route in ("whoami", "create", "validate"):
            return as_json(getattr(self, route)(user, body))
        repository = self.hub.repository(named, user, write=route in WRITES)
        if route == "resolve":
            return self.resolve(repository, named["rev"], named["path"])
        return as_json(getattr(self, f"repo_{route}")(repository, named, body, query))

    def user(self) -> tuple[str, tuple[str, ...]] | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in USERS:
            raise Refusal(401, "", "Invalid credentials in Authorization header")
        return USERS.get(token)

    def body(self, route: str) -> bytes:
        """The request's body; that of a large file goes to disk, and its name comes back."""
        pieces = self.pieces()
        if route != "put":
            return b"".join(pieces)
        with (self.hub.folder / f"{threading.get_ident()}.part").open("wb") as file:
            for piece in pieces:
                file.write(piece)
        return b""

    def pieces(self) -> Any:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 20))):
            left -= len(piece)
            yield piece

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def send(self, status: int, headers: dict[str, str], answer: bytes | Path) -> None:
        size = answer.stat().st_size if isinstance(answer, Path) else len(answer)
        first, last = 0, size - 1
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and status == 200:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
            headers, status = headers | {"Content-Range": f"bytes {first}-{last}/{size}"}, 206
        self.send_response(status)
        length = {"Content-Length": str(last + 1 - first), "Accept-Ranges": "bytes"}
        for name, value in (length | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with answer.open("rb") if isinstance(answer, Path) else io.BytesIO(answer) as file:
                file.seek(first)
                while (left := last + 1 - file.tell()) and (piece := file.read(min(left, 1 << 20))):
                    self.wfile.write(piece)

    def whoami(self, user: Any, body: bytes) -> Any:
        if user is None:
            raise Refusal(401, "", "Invalid username or password.")
        return {"type": "user", "name": user[0], "orgs": [{"name": name} for name in user[1][1:]]}

    def create(self, user: Any, body: bytes) -> Any:
        asked = json.loads(body)
        if user is None:
            raise Refusal(401, "", "Invalid username or password.")
        owner = asked.get("organization") or user[0]
        if owner not in user[1]:
            raise Refusal(
                403,
                "",
                f"You don't have the rights to create a dataset under the namespace {owner!r}",
            )
        id, kind = f"{owner}/{asked['name']}", f"{asked.get('type', 'model')}s"
        if (place := key({"id": id, "kind": kind})) in self.hub.repositories:
            raise Refusal(409, "", "You already created this repo")
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.hub.repositories[place] = found = Repository(id, private=private, kind=kind)
        return {"url": f"{self.hub.url}/{found.place}", "name": id}

    def validate(self, user: Any, body: bytes) -> Any:
        return {"errors": [], "warnings": []}

    def repo_info(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        commit = repository.at(named.get("rev", "main"))
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        more = {
            "lastModified": "2026-01-01T00:00:00.000Z",
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "gated": False,
        }
        return {
            "id": repository.id,
            "sha": commit.oid,
            "private": repository.private,
            "siblings": siblings,
            **more,
        }

    def repo_refs(self, repository: Repository, *_: Any) -> Any:
        tags = [
            {"name": n, "ref": f"refs/tags/{n}", "targetCommit": c.oid}
            for n, c in repository.tags.items()
        ]
        branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": repository.main.oid}]
        return {"tags": tags, "branches": branches, "converts": []}

    def repo_commits(self, repository: Repository, named: dict[str, str], *_: Any) -> Any:
        commits = repository.commits()
        about = {"authors": [{"user": "me"}], "date": "2026-01-01T00:00:00.000Z", "message": ""}
        return [
            {"id": c.oid, "title": c.title} | about
            for c in commits[commits.index(repository.at(named["rev"])) :]
        ]

    def repo_tree(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        files, under = repository.at(named["rev"]).files, named.get("path", "")
        prefix = f"{under}/" if under else ""
        inside = {path: blob for path, blob in files.items() if path.startswith(prefix)}
        if under and not inside:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        deep = query.get("recursive", ["false"])[0].lower() == "true"
        folders = sorted({folder for path in inside for folder in folders_of(path, prefix)})
        shown = [folder for folder in folders if deep or "/" not in folder[len(prefix) :]]
        return [{"type": "directory", "path": p, "oid": "0" * 40, "size": 0} for p in shown] + [
            entry(p, blob)
            for p, blob in sorted(inside.items())
            if deep or "/" not in p[len(prefix) :]
        ]

    def repo_paths(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        text = body.decode()
        asked = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text)["paths"]
        files = repository.at(named["rev"]).files
        folders = {folder for path in files for folder in folders_of(path, "")}
        return [entry(path, files[path]) for path in asked if path in files] + [
            {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
            for path in asked
            if path in folders
        ]

    def repo_preupload(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        files = repository.at(named["rev"]).files
        return {
            "files": [
                upload_mode(asked, files.get(asked["path"])) for asked in json.loads(body)["files"]
            ]
        }

    def repo_batch(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        there, verify = (
            self.hub.sizes(),
            f"{self.hub.url}/{repository.place}.git/info/lfs/objects/verify",
        )
        objects = json.loads(body)["objects"]
        for asked in objects:
            if there.get(asked["oid"]) != asked["size"]:
                upload = {"href": f"{self.hub.url}/lfs/{asked['oid']}"}
                asked["actions"] = {"upload": upload, "verify": {"href": verify}}
        return {"transfer": "basic", "objects": objects}

    def repo_verify(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        asked = json.loads(body)
        if self.hub.sizes().get(asked["oid"]) != asked["size"]:
            raise Refusal(404, "", "no such object")
        return {}

    def repo_commit(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        commit = repository.commit(
            [json.loads(line) for line in body.splitlines()], self.hub.sizes()
        )
        url = f"{self.hub.url}/{repository.place}/commit/{commit.oid}"
        return {"success": True, "commitOid": commit.oid, "commitUrl": url, "hookOutput": ""}

    def repo_tag(
        self, repository: Repository, named: dict[str, str], body: bytes, query: Any
    ) -> Any:
        repository.tag(json.loads(body)["tag"], named["rev"])
        return {}

    def resolve(self, repository: Repository, revision: str, path: str) -> Any:
        """A regular file itself; a large one by its address on the file server."""
        blob, commit = repository.file(revision, path), repository.at(revision)
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{blob.oid}"'}
        if not blob.large:
            return 200, headers, self.hub.read(blob)
        linked = {"X-Linked-Etag": f'"{blob.oid}"', "X-Linked-Size": str(blob.size)}
        elsewhere = self.hub.url.replace(
            "127.0.0.1", "localhost"
        )  # clients stop only where the host is another
        return 302, headers | linked | {"Location": f"{elsewhere}/lfs/{blob.oid}"}, b""

    def large(self, route: str, oid: str) -> Any:
        if route == "put":
            (self.hub.folder / f"{threading.get_ident()}.part").rename(self.hub.folder / oid)
            return 200, {}, b""
        return 200, {"ETag": f'"{oid}"'}, self.hub.folder / oid


def as_json(value: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def serve(folder: Path) -> tuple[Hub, ThreadingHTTPServer]:
    """Start a Hub on a free port; `shutdown` and `server_close` end it."""
    hub = Hub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfHub", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return hub, server
