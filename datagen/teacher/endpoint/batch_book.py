"""A file that records the requests sent to a Batch API, their batches and their replies.

It survives the process, so another process can continue.
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
NEW = "new"
SUBMITTING = "submitting"
SUBMITTED = "submitted"
ENDED = "ended"


@dataclass(frozen=True)
class Reply:
    """An endpoint's answer to one request, or the reason why there is none."""

    status: int
    """The HTTP status, or 0 if there was no answer."""
    content: str
    """The body, or the reason why there is none."""


class Book:
    """The SQLite file with the batches of a run.

    A batch is recorded with its requests before it is submitted. All its replies are recorded
    together.
    """

    def __init__(self, file: Path):
        self._database = connect_database(file, SCHEMA)

    def find(self, id: str) -> tuple[Reply | None, bool]:
        """Return the reply to a request, if it has one, and whether its batch is unfinished."""
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
        """Record a new batch of (id, body) pairs, and return its name."""
        name = uuid.uuid4().hex
        # in one transaction: a batch without its requests could not be continued
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("INSERT INTO batches VALUES (?, ?, ?, NULL)", (name, path, NEW))
            self._database.executemany(
                "INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, NULL, NULL)",
                [(id, path, body, name) for id, body in requests],
            )
        return name

    def unfinished(self) -> list[str]:
        """Return the names of the batches that have not ended."""
        query = "SELECT name FROM batches WHERE state != ? ORDER BY name"
        return [name for (name,) in self._database.execute(query, (ENDED,))]

    def batch(self, name: str) -> tuple[str, str, str | None]:
        """Return a batch's path and state, and the endpoint's id once it is known."""
        found: tuple[str, str, str | None] = self._database.execute(
            "SELECT path, state, id FROM batches WHERE name = ?", (name,)
        ).fetchone()
        return found

    def set_state(self, name: str, state: str, id: str | None = None) -> None:
        """Record the state of a batch, and the endpoint's id if it is given."""
        self._database.execute(
            "UPDATE batches SET state = ?, id = coalesce(?, id) WHERE name = ?", (state, id, name)
        )

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a batch's file, one line a request."""
        # sorted, so that a batch that is submitted again has the same file
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
        """Return the ids of the requests in a batch."""
        return [
            id
            for (id,) in self._database.execute("SELECT id FROM requests WHERE batch = ?", (name,))
        ]

    def end(self, name: str, replies: Iterable[tuple[str, Reply]], *, without: str) -> None:
        """Record the replies of a batch, in whatever order they are.

        Args:
            name: the batch.
            replies: the id of each request with its reply.
            without: says why the other requests have no reply.
        """
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
