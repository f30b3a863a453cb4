"""The Batch API: requests are gathered into files, submitted, polled and collected.

A batch may take longer than one session. A file of the run folder (batch_book.py) records the
batches, so the same command continues after a kill. A batch carries a name of ours as metadata. If
its submission was interrupted, the endpoint is searched for that name before it is submitted again.
`batch_client.py` makes the calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.errors import TeacherError, Unavailable, UserError
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint.batch_book import SUBMITTED, SUBMITTING, Book, Reply
from datagen.teacher.endpoint.batch_client import BatchClient
from datagen.teacher.endpoint.batch_files import read_replies, read_reply, split_into_files
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import Transport
from datagen.terminal import show

if TYPE_CHECKING:
    from openai.types import Batch

Answer = TypeVar("Answer")

GATHER_S = 1.0
"""A file is submitted when no request has come for this long. Few large files are answered sooner
than many small ones."""
FIRST_POLL_S = 0.5
"""Seconds between the first two polls of a batch. Small batches end within seconds."""
LONGEST_POLL_S = 60.0
"""Most seconds between two polls. A batch may take a day, so polling once a minute delays it
little."""
MAX_BATCHES = 3
"""How many batches one command puts a request into before the request fails."""
END_STATES = {"completed", "expired", "cancelled", "failed"}
"""The states in which a batch does not change any more."""


class Batches:
    """Asks an endpoint through its Batch API, with the same `ask` as `Endpoint`.

    A task asks one request at a time, and waits until a batch has brought the reply.
    """

    def __init__(self, transport: Transport, file: Path, patience: Patience):
        self._transport = transport
        self._book = Book(file)
        self._client = BatchClient(transport, patience)
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._gathered: dict[str, dict[str, str]] = {}  # by path: bodies by id
        self._asked_at = 0.0
        self._gathering: asyncio.Task[None] | None = None
        self._following: dict[str, asyncio.Task[None]] = {}

    async def ask(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]
    ) -> Answer:
        """Return what `read` makes of the reply, which may take days.

        Raises:
            Unavailable: no batch brought an answer.
            Refused: asking again is of no use.
            ContextExceeded: the text is longer than the model's context.
            UserError: the endpoint is down for good, or it refuses the batch.
        """
        text = json.dumps(body)
        id = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()[:48]
        reply, under_way = self._book.find(id)

        # the reply was collected, but the process died before it was used
        if reply and reply.status == 200:
            with contextlib.suppress(Failure, TeacherError):
                return read_reply(reply, read, self._transport.redact)

        for _ in range(MAX_BATCHES):
            reply = await self._reply(id, path, text, under_way=under_way)
            try:
                return read_reply(reply, read, self._transport.redact)
            except Failure as failure:
                last = failure
                under_way = False
        raise Unavailable(f"no answer in {MAX_BATCHES} batches, the last: {last}")

    async def close(self) -> None:
        """Stop waiting. The endpoint keeps the batches, and the next session collects them."""
        tasks = [*self._following.values(), *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._waiting.values():
            future.cancel()
        await self._client.close()
        self._book.close()

    async def _reply(self, id: str, path: str, text: str, *, under_way: bool) -> Reply:
        """Return the reply to a request, and add the request to a new batch if it is in none."""
        if id not in self._waiting:
            self._waiting[id] = asyncio.get_running_loop().create_future()
            # the first request of a session takes up the batches of earlier sessions
            for name in self._book.unfinished() if not self._following else ():
                self._follow(name)
            if not under_way:
                self._gathered.setdefault(path, {})[id] = text
                self._asked_at = time.monotonic()
                self._gathering = self._gathering or asyncio.create_task(self._gather())
        # several tasks may wait for one reply, so a cancelled one must not cancel the future
        return await asyncio.shield(self._waiting[id])

    async def _gather(self) -> None:
        """Record the gathered requests as batches and submit them, when no more requests come."""
        while self._gathered:
            if (wait := self._asked_at + GATHER_S - time.monotonic()) > 0:
                await asyncio.sleep(wait)
                continue
            path, bodies = self._gathered.popitem()
            for requests in split_into_files(bodies):
                self._follow(self._book.open(path, requests))
        self._gathering = None

    def _follow(self, name: str) -> None:
        self._following[name] = asyncio.create_task(self._process(name))

    async def _process(self, name: str) -> None:
        """Submit a batch, poll it until it has ended, and deliver its replies."""
        try:
            batch = await self._ensure_submitted(name)
            delay = FIRST_POLL_S
            while batch.status not in END_STATES:
                await asyncio.sleep(delay)
                delay = min(1.5 * delay, LONGEST_POLL_S)
                batch = await self._client.retrieve(batch.id)
            await self._collect(name, batch)
        except UserError as error:
            self._deliver(name, error)
        except Exception as error:
            self._deliver(name, UserError(f"batch {name}: {self._transport.redact(error)}"))

    async def _ensure_submitted(self, name: str) -> Batch:
        """Return the batch as the endpoint knows it, and submit it first if it is not there yet."""
        path, state, id = self._book.batch(name)
        if id:
            return await self._client.retrieve(id)
        while True:
            # after a kill during the submission, the batch may be at the endpoint already
            batch = await self._client.find(name) if state == SUBMITTING else None
            if batch is None:
                self._book.set_state(name, state := SUBMITTING)
                try:
                    content = b"".join(self._book.lines(name))
                    batch = await self._client.submit(name, path, content)
                except Failure:
                    # it may have arrived all the same, so the next round searches for it first
                    await asyncio.sleep(FIRST_POLL_S)
                    continue
            self._book.set_state(name, SUBMITTED, self._checked(batch.id))
            count = len(self._book.ids(name))
            log(
                f"{count:,} requests are in batch {batch.id} at {self._transport.where}; "
                "run the same command again to collect them later"
            )
            return batch

    async def _collect(self, name: str, batch: Batch) -> None:
        """Record the replies that a batch brought, all or some of them, and deliver them."""
        replies: list[tuple[str, Reply]] = []
        # a batch that expired or failed can still have answers to some of its requests
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            replies += map(self._redacted, read_replies(await self._client.content(file)))
        why = "; ".join(error.message or "" for error in (batch.errors and batch.errors.data) or [])
        ended = self._transport.redact(f"{batch.status} {why}".strip())
        self._book.end(name, replies, without=f"batch {batch.id} {ended}")
        log(f"batch {batch.id} {batch.status} with {len(replies):,} replies")
        stopped = f"batch {batch.id} at {self._transport.where} {ended}"
        stopped += ": the same command submits again what has no answer"
        self._deliver(name, UserError(stopped) if batch.status in {"failed", "cancelled"} else None)

    def _deliver(self, name: str, error: UserError | None) -> None:
        """Give every reply to the task that waits for it, and `error` to tasks without a reply."""
        for id in self._book.ids(name):
            reply, _ = self._book.find(id)
            future = self._waiting.pop(id, None)
            if future is None or future.done():
                continue
            if error and (reply is None or reply.status == 0):
                future.set_exception(error)
                # asyncio warns of an exception that nobody retrieved, and no task may be waiting
                future.exception()
            elif reply:
                future.set_result(reply)

    def _checked(self, id: str) -> str:
        """Return the endpoint's id of a batch, which is stored as it is.

        Raises:
            UserError: the id repeats a secret.
        """
        if self._transport.secrets.message(id) != id:
            raise UserError(f"{self._transport.where} repeats a key in the id of a batch")
        return id

    def _redacted(self, found: tuple[str, Reply]) -> tuple[str, Reply]:
        """Return a reply whose error text is one line without secrets."""
        id, reply = found
        return id, reply if reply.status == 200 else replace(
            reply, content=self._transport.redact(reply.content)
        )


def log(line: str) -> None:
    """Print a line for the user."""
    show(line, error=True)
