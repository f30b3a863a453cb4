"""The request journal: every answer is on disk before anything depends on it.

One record a sample, and one for pairs that were scored together, keyed by all that decides it: engine and endpoint,
messages, sampling settings, sample index. A changed prompt or setting is therefore a new request, and the same one is
never asked twice, across kills and restarts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.teacher.base import Completion, Messages, Request, Teacher
from datagen.teacher.scoring import Pair, score_many

GATHER_S = 0.004
"""Answers that arrive within this time share a commit."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    request BLOB NOT NULL,
    sample  INTEGER NOT NULL,
    answer  TEXT NOT NULL,
    tokens  INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    PRIMARY KEY (request, sample)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    pairs    BLOB PRIMARY KEY,
    logprobs TEXT NOT NULL
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
        self._database.executescript(SCHEMA)
        self.usage = self._usage()
        self._under_way: dict[tuple[bytes, int, int], asyncio.Future[list[Completion]]] = {}
        self._scoring: dict[bytes, asyncio.Future[list[list[float]]]] = {}
        self._saving: asyncio.Task[None] | None = None

    async def check(self) -> None:
        await self.teacher.check()

    async def complete(self, request: Request) -> list[Completion]:
        key = self._key(request)
        found = self._find(key, request)
        if len(found) == request.n:
            await self._saved()
            return found
        work = (key, request.first, request.n)
        if work not in self._under_way:
            self._under_way[work] = asyncio.ensure_future(self._ask(key, request, known=len(found)))
            self._under_way[work].add_done_callback(lambda _: self._under_way.pop(work))
        return await asyncio.shield(self._under_way[work])

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        [scores] = await self.score_many([(prompt, continuation)])
        return scores

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """One record for all the pairs, which an engine computes together: kept whole or, after a kill, asked whole."""
        key = digest([self.identity, "score", list(pairs)])
        found = self._database.execute("SELECT logprobs FROM scores WHERE pairs = ?", (key,)).fetchone()
        if found:
            return [list(scores) for scores in json.loads(found[0])]
        if key not in self._scoring:
            self._scoring[key] = asyncio.ensure_future(self._ask_scores(key, pairs))
            self._scoring[key].add_done_callback(lambda _: self._scoring.pop(key))
        return await asyncio.shield(self._scoring[key])

    async def close(self) -> None:
        await self.teacher.close()
        await self._saved()
        self._database.close()

    def _usage(self) -> Usage:
        query = "SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(prompt_tokens), 0) FROM answers"
        return Usage(*self._database.execute(query).fetchone())

    async def _ask(self, key: bytes, request: Request, *, known: int) -> list[Completion]:
        """Ask, and keep the answers. Of `known` samples the old ones stay."""
        answers = await self.teacher.complete(request)
        rows = [
            (key, request.first + i, json.dumps(vars(a), ensure_ascii=False), a.tokens, a.prompt_tokens)
            for i, a in enumerate(answers)
        ]
        self._insert("answers", rows)
        await self._saved()
        self.usage = Usage(
            self.usage.answers + len(answers),
            self.usage.completion_tokens + sum(a.tokens for a in answers),
            self.usage.prompt_tokens + sum(a.prompt_tokens for a in answers),
        )
        return answers if not known else self._find(key, request)

    async def _ask_scores(self, key: bytes, pairs: Sequence[Pair]) -> list[list[float]]:
        scores = await score_many(self.teacher, pairs)
        self._insert("scores", [(key, json.dumps(scores))])
        await self._saved()
        return scores

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Into the open transaction, or a new one. What arrives within moments is committed at once."""
        if self._saving is None:
            self._database.execute("BEGIN")
            self._saving = asyncio.create_task(self._save())
        places = ", ".join("?" * len(rows[0]))
        self._database.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)

    async def _save(self) -> None:
        try:
            await asyncio.sleep(GATHER_S)
        finally:
            self._database.execute("COMMIT")
            self._saving = None

    async def _saved(self) -> None:
        """Until all that was inserted is on disk."""
        if self._saving is not None:
            await asyncio.shield(self._saving)

    def _find(self, key: bytes, request: Request) -> list[Completion]:
        rows = self._database.execute(
            "SELECT answer FROM answers WHERE request = ? AND sample >= ? AND sample < ? ORDER BY sample",
            (key, request.first, request.first + request.n),
        )
        return [Completion(**json.loads(answer)) for (answer,) in rows]

    def _key(self, request: Request) -> bytes:
        return digest([self.identity, request.prompt, vars(request.sampling)])


def digest(parts: list[Any]) -> bytes:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
