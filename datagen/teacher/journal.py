"""The request journal: every answer is on disk before anything depends on it.

One record a sample, keyed by all that decides it: engine and endpoint, messages, sampling settings, sample index. A
changed prompt or setting is therefore a new request, and the same one is never asked twice, across kills and restarts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from datagen.teacher.base import Completion, Messages, Request, Teacher

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    request BLOB NOT NULL,
    sample  INTEGER NOT NULL,
    answer  TEXT NOT NULL,
    tokens  INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    PRIMARY KEY (request, sample)
) WITHOUT ROWID
"""


def connect_database(path: Path) -> sqlite3.Connection:
    """A database in WAL mode: what was committed survives the death of the process."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    return database


@dataclass(frozen=True)
class Usage:
    """What the journal holds: answered samples and the tokens they cost."""

    answers: int
    completion_tokens: int
    prompt_tokens: int


class JournaledTeacher:
    """A teacher that remembers. Equal requests under way at the same time are asked once."""

    def __init__(self, teacher: Teacher, path: Path):
        self.teacher, self.name, self.identity = teacher, teacher.name, teacher.identity
        self._database = connect_database(path)
        self._database.execute(SCHEMA)
        self.usage = self._usage()
        self._under_way: dict[tuple[bytes, int, int], asyncio.Future[list[Completion]]] = {}

    async def check(self) -> None:
        await self.teacher.check()

    async def complete(self, request: Request) -> list[Completion]:
        key = self._key(request)
        found = self._find(key, request)
        if len(found) == request.n:
            return found
        work = (key, request.first, request.n)
        if work not in self._under_way:
            self._under_way[work] = asyncio.ensure_future(self._ask(key, request))
            self._under_way[work].add_done_callback(lambda _: self._under_way.pop(work))
        return await asyncio.shield(self._under_way[work])

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        return await self.teacher.score(prompt, continuation)

    async def close(self) -> None:
        await self.teacher.close()
        self._database.close()

    def _usage(self) -> Usage:
        query = "SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(prompt_tokens), 0) FROM answers"
        return Usage(*self._database.execute(query).fetchone())

    async def _ask(self, key: bytes, request: Request) -> list[Completion]:
        answers = await self.teacher.complete(request)
        rows = [
            (key, request.first + i, json.dumps(asdict(a), ensure_ascii=False), a.tokens, a.prompt_tokens)
            for i, a in enumerate(answers)
        ]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")
        self.usage = Usage(
            self.usage.answers + len(answers),
            self.usage.completion_tokens + sum(a.tokens for a in answers),
            self.usage.prompt_tokens + sum(a.prompt_tokens for a in answers),
        )
        return self._find(key, request)

    def _find(self, key: bytes, request: Request) -> list[Completion]:
        rows = self._database.execute(
            "SELECT answer FROM answers WHERE request = ? AND sample >= ? AND sample < ? ORDER BY sample",
            (key, request.first, request.first + request.n),
        )
        return [Completion(**json.loads(answer)) for (answer,) in rows]

    def _key(self, request: Request) -> bytes:
        parts = [self.identity, request.prompt, asdict(request.sampling)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
