"""The request journal: every answer is on disk before anything depends on it.

Each request has one record that holds its samples. Pairs that were scored together also have one
record. The key is everything that decides an answer: engine, endpoint, messages and sampling
settings. So a changed prompt or setting is a new request, and a recorded sample is never asked for
again, even after a kill.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from datagen.database import connect_database
from datagen.errors import UserError
from datagen.json_bytes import dumps, loads
from datagen.teacher.base import Completion, Messages, Pair, Request, Teacher
from datagen.teacher.cost.budget import Account
from datagen.teacher.cost.usage import Usage, marks_of

Answer = TypeVar("Answer")

GATHER_S = 0.004
"""Answers that arrive within this time share a commit. A commit for each answer would slow down a
fast engine. A delay of milliseconds is too short to notice."""
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
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
    mark    TEXT PRIMARY KEY, -- what was special about answers
    answers INTEGER NOT NULL
) WITHOUT ROWID
"""


class JournaledTeacher:
    """A teacher whose answers are recorded. Equal requests at the same time are asked only once."""

    def __init__(
        self,
        teacher: Teacher,
        path: Path,
        *,
        identity: str | None = None,
        account: Account | None = None,
    ):
        """Args:
        teacher: the teacher that is asked for what the journal does not hold.
        path: the journal's file.
        identity: the name under which the answers are stored. Default: the teacher's identity.
        account: the budget of the run. What the journal holds counts as spent.
        """
        self.name = teacher.name
        self.capabilities = teacher.capabilities
        self._path = path
        self._database = connect_database(path, SCHEMA)
        self.usage = self._usage()
        self.teacher = account.watch(teacher, self.usage) if account else teacher
        self._identity = identity
        self._under_way: dict[Any, asyncio.Future[Any]] = {}
        self._uncommitted: list[tuple[str, tuple[Any, ...]]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def identify(self) -> str:
        """Return the teacher's identity. The teacher is asked for it only once."""
        if self._identity is None:
            self._identity = await self.teacher.identify()
        return self._identity

    async def open(self) -> None:
        await self.teacher.open()

    async def complete(self, request: Request) -> list[Completion]:
        key = digest([await self.identify(), request.prompt, vars(request.sampling)])

        async def ask() -> list[Completion]:
            found = self._find(key, request)
            if len(found) < request.n:
                found = await self._ask(key, request, known=found)
            await self._wait_until_saved()
            return [found[request.first + i] for i in range(request.n)]

        return await self._ask_once((key, request.first, request.n), ask)

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        [scores] = await self.score_many([(prompt, continuation)])
        return scores

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """Return what `score` returns for each pair. All pairs share one record.

        An engine computes the pairs together. So after a kill all scores are recorded, or all pairs
        are asked again.
        """
        key = digest([await self.identify(), "score", list(pairs)])

        async def ask() -> list[list[float]]:
            found = self._database.execute(
                "SELECT logprobs FROM scores WHERE pairs = ?", (key,)
            ).fetchone()
            if not found:
                found = (dumps(await self.teacher.score_many(pairs)),)
                self._insert("INSERT OR IGNORE INTO scores VALUES (?, ?)", (key, *found))
            await self._wait_until_saved()
            return [list(scores) for scores in loads(found[0])]

        return await self._ask_once(key, ask)

    async def close(self) -> None:
        await self.teacher.close()
        if self._timer:
            self._timer.cancel()
        self._commit()
        self._database.close()

    async def _ask_once(self, work: Any, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the result of `ask`, which is called only once for equal work at the same time.

        The other tasks wait for the first. If the first is cancelled, the next one asks.

        Args:
            work: names the work. Equal work has equal names.
            ask: does the work.
        """
        while other := self._under_way.get(work):
            await asyncio.wait([other])
            if not other.cancelled():
                return other.result()
            # the cancelled task may have inserted its answer: `ask` then finds it on disk
            await self._wait_until_saved()

        mine = self._under_way[work] = asyncio.get_running_loop().create_future()
        try:
            answer = await ask()
            mine.set_result(answer)
            return answer
        except Exception as error:
            mine.set_exception(error)
            # asyncio warns of an exception that nobody retrieved, and no other task may be waiting
            mine.exception()
            raise
        finally:
            del self._under_way[work]
            # without a result this task was cancelled: the waiting tasks see it, and one asks
            mine.cancel()

    async def _ask(
        self, key: bytes, request: Request, *, known: dict[int, Completion]
    ) -> dict[int, Completion]:
        """Ask the teacher, record its answers, and return the samples by index.

        A sample that is `known` stays as it is.
        """
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
        self._mark(Counter(chain.from_iterable(map(marks_of, answers))))
        return dict(enumerate(answers, request.first)) | known

    def _find(self, key: bytes, request: Request) -> dict[int, Completion]:
        """Return the samples of a request that the journal has, by their index."""
        query = "SELECT first, answers FROM replies WHERE request = ? ORDER BY rowid DESC"
        wanted = range(request.first, request.first + request.n)
        found: dict[int, Completion] = {}
        for first, answers in self._database.execute(query, (key,)):
            # the newest records come first, so the oldest answer to a sample wins, as in `_ask`
            found |= {
                i: completion_of(a) for i, a in enumerate(loads(answers), first) if i in wanted
            }
        return found

    def _mark(self, marks: Counter[str]) -> None:
        """Count answers by their marks."""
        self.usage.marks.update(marks)
        for row in marks.items():
            self._insert(
                "INSERT INTO marks VALUES (?, ?)"
                " ON CONFLICT (mark) DO UPDATE SET answers = answers + excluded.answers",
                row,
            )

    def _usage(self) -> Usage:
        columns = ("samples", "tokens", "prompt_tokens", "cached_tokens")
        sums = ", ".join(f"coalesce(sum({column}), 0)" for column in columns)
        marks = dict(self._database.execute("SELECT mark, answers FROM marks"))
        usage = Usage(*self._database.execute(f"SELECT {sums} FROM replies").fetchone())
        usage.marks.update(marks)
        return usage

    def _insert(self, statement: str, row: tuple[Any, ...]) -> None:
        """Insert a row with the next commit. Rows of the next few milliseconds share a commit."""
        if not self._uncommitted:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._commit)
        self._uncommitted.append((statement, row))

    async def _wait_until_saved(self) -> None:
        """Wait until all rows that were inserted are on disk."""
        if self._uncommitted:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def _commit(self) -> None:
        """Write the waiting rows to disk, and wake the tasks that wait for them."""
        unsaved = self._uncommitted
        waiting = self._waiting
        self._uncommitted = []
        self._waiting = []

        error = None
        try:
            self._database.execute("BEGIN")
            for statement, row in unsaved:
                self._database.execute(statement, row)
            self._database.execute("COMMIT")
        except (sqlite3.Error, OverflowError) as failure:
            # every waiting task must be woken, or the run would hang
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            error = UserError(f"{self._path} cannot be written: {failure}")

        for future in waiting:
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)


def digest(parts: list[Any]) -> bytes:
    return hashlib.sha256(dumps(parts)).digest()


def completion_of(record: dict[str, Any]) -> Completion:
    """Return an answer as it was before it was recorded."""
    # JSON has no tuples. A record of an older release lacks the newer fields, or has null there.
    left_out = tuple(record.get("left_out", ()))
    return Completion(**record | {"left_out": left_out, "reasoning": record.get("reasoning") or ""})
