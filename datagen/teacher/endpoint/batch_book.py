"""What is under way at a Batch API, in a file that survives the process: requests, the batch each
is in, its reply.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.database import connect_database

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id     TEXT PRIMARY KEY,
    path   TEXT NOT NULL,
    body   TEXT NOT NULL,
    batch  TEXT,
    status INTEGER,
    reply  TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_batch ON requests (batch);
CREATE TABLE IF NOT EXISTS batches (
    name  TEXT PRIMARY KEY,
    path  TEXT NOT NULL,
    state TEXT NOT NULL,
    id    TEXT
) WITHOUT ROWID
"""
NEW, SUBMITTING, SUBMITTED, ENDED = "new", "submitting", "submitted", "ended"


@dataclass(frozen=True)
class Reply:
    """An endpoint's answer to one request: HTTP's status (0 where none came) and the body, or why
    there is none.
    """

    status: int
    content: str


class Book:
    """A SQLite file.

    A batch is written down with its requests before it is submitted, its replies together.
    """

    def __init__(self, file: Path):
        self._database = connect_database(file, SCHEMA)

    def find(self, id: str) -> tuple[Reply | None, bool]:
        """The reply to a request, if it has one; and whether it is in a batch that has not
        ended.
        """
        found = self._database.execute(
            "SELECT status, reply, state FROM requests LEFT JOIN batches ON batch = name"
            " WHERE requests.id = ?",
            (id,),
        ).fetchone()
        if found is None:
            return None, False
        status, reply, state = found
        return (None if status is None else Reply(status, reply), state != ENDED)

    def open(self, path: str, requests: Sequence[tuple[str, str]]) -> str:
        """A new batch of (id, body) pairs; its name."""
        name = uuid.uuid4().hex
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("INSERT INTO batches VALUES (?, ?, ?, NULL)", (name, path, NEW))
            self._database.executemany(
                "INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, NULL, NULL)",
                [(id, path, body, name) for id, body in requests],
            )
        return name

    def unended(self) -> list[str]:
        query = "SELECT name FROM batches WHERE state != ? ORDER BY name"
        return [name for (name,) in self._database.execute(query, (ENDED,))]

    def batch(self, name: str) -> tuple[str, str, str | None]:
        """Path, state, and the endpoint's id once it is known."""
        found: tuple[str, str, str | None] = self._database.execute(
            "SELECT path, state, id FROM batches WHERE name = ?", (name,)
        ).fetchone()
        return found

    def set_state(self, name: str, state: str, id: str | None = None) -> None:
        self._database.execute(
            "UPDATE batches SET state = ?, id = coalesce(?, id) WHERE name = ?", (state, id, name)
        )

    def lines(self, name: str) -> Iterator[bytes]:
        """The file of a batch, a line a request."""
        query = "SELECT id, path, body FROM requests WHERE batch = ? ORDER BY id"
        for id, path, body in self._database.execute(query, (name,)):
            line = {
                "custom_id": id,
                "method": "POST",
                "url": f"/v1/{path}",
                "body": json.loads(body),
            }
            yield json.dumps(line).encode() + b"\n"

    def ids(self, name: str) -> list[str]:
        return [
            id
            for (id,) in self._database.execute("SELECT id FROM requests WHERE batch = ?", (name,))
        ]

    def end(self, name: str, replies: Iterable[tuple[str, Reply]], *, without: str) -> None:
        """Keep a batch's replies, whatever their order; `without` says why the others have none."""
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "UPDATE requests SET status = ?, reply = ? WHERE id = ? AND batch = ?",
                [(reply.status, reply.content, id, name) for id, reply in replies],
            )
            self._database.execute(
                "UPDATE requests SET status = 0, reply = ? WHERE batch = ? AND status IS NULL",
                (without, name),
            )
            self._database.execute("UPDATE batches SET state = ? WHERE name = ?", (ENDED, name))

    def close(self) -> None:
        self._database.close()
