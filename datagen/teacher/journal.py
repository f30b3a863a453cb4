"""The request journal: every answer is on disk before anything depends on it.

One record a request, with the samples that it brought, and one for pairs that were scored together,
keyed by all that decides it: engine and endpoint, messages, sampling settings. A changed prompt or
setting is therefore a new request, and a sample that is there is never asked for twice, across
kills and restarts."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from datagen.errors import UserError
from datagen.json_bytes import dumps, loads
from datagen.teacher.base import Completion, Messages, Request, Teacher
from datagen.teacher.scoring import Pair, score_many

Answer = TypeVar("Answer")

GATHER_S = 0.004
"""Answers that arrive within this time share a commit."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    request       BLOB NOT NULL,
    first         INTEGER NOT NULL,
    samples       INTEGER NOT NULL,
    tokens        INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    answers       BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_request ON replies (request);
CREATE TABLE IF NOT EXISTS scores (
    pairs    BLOB PRIMARY KEY,
    logprobs BLOB NOT NULL
) WITHOUT ROWID
"""


def connect_database(path: Path, schema: str, *, page_bytes: int = 4096) -> sqlite3.Connection:
    """A database in WAL mode: what was committed survives the death of the process. Large records
    want large pages. Raises UserError where it can be neither read nor written."""
    try:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(schema)
    except sqlite3.Error as error:
        raise UserError(f"{path} cannot be read and written: {error}") from None
    return database


@dataclass
class Usage:
    """What the journal holds: answered samples and the tokens they cost."""

    answers: int
    completion_tokens: int
    prompt_tokens: int
    cached_tokens: int
    """Those of the prompt tokens that the endpoint had in its cache."""

    def add(
        self, answers: int, completion_tokens: int, prompt_tokens: int, cached_tokens: int
    ) -> None:
        self.answers += answers
        self.completion_tokens += completion_tokens
        self.prompt_tokens += prompt_tokens
        self.cached_tokens += cached_tokens


class JournaledTeacher:
    """A teacher that remembers. Equal requests under way at the same time are asked once."""

    def __init__(self, teacher: Teacher, path: Path):
        self.teacher, self.name, self.identity = teacher, teacher.name, teacher.identity
        self._path, self._database = path, connect_database(path, SCHEMA)
        self.usage = self._usage()
        self._under_way: dict[Any, asyncio.Future[Any]] = {}
        self._unsaved: list[tuple[str, tuple[Any, ...]]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def check(self) -> None:
        await self.teacher.check()

    async def complete(self, request: Request) -> list[Completion]:
        key = digest([self.identity, request.prompt, vars(request.sampling)])

        async def ask() -> list[Completion]:
            found = self._find(key, request)
            if len(found) < request.n:
                found = await self._ask(key, request, known=found)
            await self._saved()
            return [found[request.first + i] for i in range(request.n)]

        return await self._once((key, request.first, request.n), ask)

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        [scores] = await self.score_many([(prompt, continuation)])
        return scores

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """One record for all the pairs, which an engine computes together: kept whole or, after a
        kill, asked whole."""
        key = digest([self.identity, "score", list(pairs)])

        async def ask() -> list[list[float]]:
            found = self._database.execute(
                "SELECT logprobs FROM scores WHERE pairs = ?", (key,)
            ).fetchone()
            if not found:
                found = (dumps(await score_many(self.teacher, pairs)),)
                self._insert("INSERT OR IGNORE INTO scores VALUES (?, ?)", (key, *found))
            await self._saved()
            return [list(scores) for scores in loads(found[0])]

        return await self._once(key, ask)

    async def close(self) -> None:
        await self.teacher.close()
        if self._timer:
            self._timer.cancel()
        self._commit()
        self._database.close()

    async def _once(self, work: Any, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `ask` gives; of equal work at the same time the first asks. If it is cancelled, the
        next one does."""
        while other := self._under_way.get(work):
            await asyncio.wait([other])
            if not other.cancelled():
                return other.result()
            await self._saved()  # it may have had its answer
        mine = self._under_way[work] = asyncio.get_running_loop().create_future()
        try:
            answer = await ask()
            mine.set_result(answer)
            return answer
        except Exception as error:
            mine.set_exception(error)
            mine.exception()  # nobody else need be waiting for it
            raise
        finally:
            del self._under_way[work]
            mine.cancel()  # where it has no result yet

    async def _ask(
        self, key: bytes, request: Request, *, known: dict[int, Completion]
    ) -> dict[int, Completion]:
        """Ask, and keep the answers. Of `known` samples the old ones stay."""
        answers = await self.teacher.complete(request)
        spent = (
            len(answers),
            sum(a.tokens for a in answers),
            sum(a.prompt_tokens for a in answers),
            sum(a.cached_tokens for a in answers),
        )
        row = (key, request.first, *spent, dumps([vars(a) for a in answers]))
        self._insert("INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.usage.add(*spent)
        return dict(enumerate(answers, request.first)) | known

    def _find(self, key: bytes, request: Request) -> dict[int, Completion]:
        """The request's samples that are there, by their index."""
        query = "SELECT first, answers FROM replies WHERE request = ? ORDER BY rowid DESC"
        wanted = range(request.first, request.first + request.n)
        found: dict[int, Completion] = {}
        for first, answers in self._database.execute(query, (key,)):
            found |= {
                i: Completion(**a) for i, a in enumerate(loads(answers), first) if i in wanted
            }
        return found

    def _usage(self) -> Usage:
        columns = ("samples", "tokens", "prompt_tokens", "cached_tokens")
        sums = ", ".join(f"coalesce(sum({column}), 0)" for column in columns)
        return Usage(*self._database.execute(f"SELECT {sums} FROM replies").fetchone())

    def _insert(self, statement: str, row: tuple[Any, ...]) -> None:
        """Soon: what arrives within moments is committed at once."""
        if not self._unsaved:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._commit)
        self._unsaved.append((statement, row))

    async def _saved(self) -> None:
        """Until all that was inserted is on disk."""
        if self._unsaved:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def _commit(self) -> None:
        unsaved, self._unsaved = self._unsaved, []
        waiting, self._waiting = self._waiting, []
        error = None
        try:
            self._database.execute("BEGIN")
            for statement, row in unsaved:
                self._database.execute(statement, row)
            self._database.execute("COMMIT")
        except sqlite3.Error as failure:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            error = UserError(f"{self._path} cannot be written: {failure}")
        for future in waiting:
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)


def digest(parts: list[Any]) -> bytes:
    return hashlib.sha256(dumps(parts)).digest()
