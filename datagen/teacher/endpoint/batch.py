"""The Batch API: requests are gathered into files, submitted, polled and collected, in as many
sessions as it takes.

A file of the run folder (batch_book.py) holds what is under way, so the same command continues
after a kill. A batch carries our own name for it as metadata. If its submission was cut short, it
is looked for under that name before it is submitted again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.errors import Unavailable, UserError
from datagen.teacher.endpoint.batch_book import SUBMITTED, SUBMITTING, Book, Reply
from datagen.teacher.endpoint.batch_files import in_files, made_of, read_replies
from datagen.teacher.endpoint.endpoint import parsed
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import Failure, Transport, may_pass, reason, retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

Answer = TypeVar("Answer")

GATHER_S = 1.0
"""A file is submitted when nothing was asked for this long, or when it is full."""
FIRST_POLL_S = 0.5
"""Seconds between the first two looks at a batch: small ones end within seconds."""
LONGEST_POLL_S = 60.0
"""A batch may take a day; a look a minute costs nothing and loses little."""
TRIES = 3
"""Batches that one command sends a request in before it fails."""
OVER = {"completed", "expired", "cancelled", "failed"}
NAME = "emergent-distill"
"""Key of the metadata that holds our own name for a batch."""


class Batches:
    """Asked like an endpoint, one request at a time.

    Whoever asks waits until a batch has brought the reply.
    """

    def __init__(self, transport: Transport, file: Path, patience: Patience):
        self._transport = transport
        self._patience = patience
        self._book = Book(file)
        self._client: AsyncOpenAI | None = None
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._gathered: dict[str, dict[str, str]] = {}  # by path: bodies by id
        self._asked_at = 0.0
        self._gathering: asyncio.Task[None] | None = None
        self._following: dict[str, asyncio.Task[None]] = {}

    async def ask(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]
    ) -> Answer:
        """What `read` makes of the reply, which may take days. Raises as `Endpoint.ask` does."""
        text = json.dumps(body)
        id = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()[:48]
        reply, under_way = self._book.find(id)
        if reply and reply.status == 200:  # collected, but the process died before it was used
            with contextlib.suppress(Failure):
                return parsed(reply.content.encode(), read)
        for _ in range(TRIES):
            reply = await self._reply(id, path, text, under_way=under_way)
            try:
                return made_of(reply, read)
            except Failure as failure:
                last = failure
                under_way = False
        raise Unavailable(f"no answer in {TRIES} batches, the last: {last}")

    async def close(self) -> None:
        """Leave. The endpoint goes on with what was submitted; the next session finds it there."""
        tasks = [*self._following.values(), *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._waiting.values():
            future.cancel()
        if self._client is not None:
            await self._client.close()
        self._book.close()

    async def _reply(self, id: str, path: str, text: str, *, under_way: bool) -> Reply:
        if id not in self._waiting:
            self._waiting[id] = asyncio.get_running_loop().create_future()
            for name in self._book.unended() if not self._following else ():
                self._follow(name)
            if not under_way:
                self._gathered.setdefault(path, {})[id] = text
                self._asked_at = time.monotonic()
                self._gathering = self._gathering or asyncio.create_task(self._gather())
        return await asyncio.shield(self._waiting[id])

    async def _gather(self) -> None:
        """Once nothing more is asked, write down what was, and send it off."""
        while self._gathered:
            if (wait := self._asked_at + GATHER_S - time.monotonic()) > 0:
                await asyncio.sleep(wait)
                continue
            path, bodies = self._gathered.popitem()
            for requests in in_files(bodies):
                self._follow(self._book.open(path, requests))
        self._gathering = None

    def _follow(self, name: str) -> None:
        self._following[name] = asyncio.create_task(self._to_its_end(name))

    async def _to_its_end(self, name: str) -> None:
        try:
            batch = await self._submitted(name)
            delay = FIRST_POLL_S
            while batch.status not in OVER:
                await asyncio.sleep(delay)
                delay = min(1.5 * delay, LONGEST_POLL_S)
                batch = await self._retrieve(batch.id)
            await self._collect(name, batch)
        except UserError as error:
            self._deliver(name, error)
        except Exception as error:
            self._deliver(name, UserError(f"batch {name}: {self._transport.line(error)}"))

    async def _submitted(self, name: str) -> Batch:
        """The batch as the endpoint knows it, submitted unless it is there already."""
        _, state, id = self._book.batch(name)
        if id:
            return await self._retrieve(id)
        while True:
            batch = await self._look_for(name) if state == SUBMITTING else None
            if batch is None:
                self._book.set_state(name, state := SUBMITTING)
                try:
                    batch = await self._submit(name)
                except Failure:
                    await asyncio.sleep(FIRST_POLL_S)
                    continue  # it may have arrived all the same
            self._book.set_state(name, SUBMITTED, batch.id)
            count = len(self._book.ids(name))
            say(
                f"{count:,} requests are in batch {batch.id} at {self._transport.url}; "
                "the same command goes on later"
            )
            return batch

    async def _look_for(self, name: str) -> Batch | None:
        async def look(client: AsyncOpenAI) -> Batch | None:
            async for batch in client.batches.list(limit=100):
                if (batch.metadata or {}).get(NAME) == name:
                    return batch
            return None

        return await self._patiently(look)

    async def _submit(self, name: str) -> Batch:
        """Raises Failure where it is unknown whether the batch arrived."""
        path, _, _ = self._book.batch(name)
        content = b"".join(self._book.lines(name))
        file = await self._patiently(
            lambda client: client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
        )
        return await self._once(
            lambda client: client.batches.create(
                input_file_id=file.id,
                endpoint=f"/v1/{path}",  # type: ignore[arg-type]
                completion_window="24h",
                metadata={NAME: name},
            )
        )

    async def _collect(self, name: str, batch: Batch) -> None:
        """Write down what a batch brought, whole or in part, and hand it out."""
        replies: list[tuple[str, Reply]] = []
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            replies += map(self._without_secrets, read_replies(await self._content(file)))
        why = "; ".join(error.message or "" for error in (batch.errors and batch.errors.data) or [])
        self._book.end(
            name,
            replies,
            without=self._transport.line(f"batch {batch.id} {batch.status} {why}".strip()),
        )
        say(f"batch {batch.id} {batch.status} with {len(replies):,} replies")
        stopped = f"batch {batch.id} at {self._transport.url} {batch.status} {why}".strip()
        stopped += ": the same command submits again what has no answer"
        self._deliver(name, UserError(stopped) if batch.status in {"failed", "cancelled"} else None)

    def _deliver(self, name: str, error: UserError | None) -> None:
        """Hand every reply to whoever waits for it, and `error` to those without a reply."""
        for id in self._book.ids(name):
            reply, _ = self._book.find(id)
            future = self._waiting.pop(id, None)
            if future is None or future.done():
                continue
            if error and (reply is None or reply.status == 0):
                future.set_exception(error)
                future.exception()  # nobody need be waiting
            elif reply:
                future.set_result(reply)

    def _without_secrets(self, found: tuple[str, Reply]) -> tuple[str, Reply]:
        id, reply = found
        return id, reply if reply.status == 200 else replace(
            reply, content=self._transport.line(reply.content)
        )

    async def _retrieve(self, id: str) -> Batch:
        return await self._patiently(lambda client: client.batches.retrieve(id))

    async def _content(self, file: str) -> bytes:
        return (await self._patiently(lambda client: client.files.content(file))).content

    async def _patiently(self, ask: Callable[[AsyncOpenAI], Awaitable[Answer]]) -> Answer:
        """Ask until there is an answer. Raises UserError when the endpoint is down for too long."""
        began = time.monotonic()
        delay = FIRST_POLL_S
        while True:
            try:
                return await self._once(ask)
            except Failure as failure:
                if time.monotonic() - began > self._patience.down_s:
                    minutes = (time.monotonic() - began) / 60
                    raise UserError(
                        f"{self._transport.url} has been down for {minutes:.0f} min ({failure}): "
                        "the same command goes on from here later"
                    ) from None
                await asyncio.sleep(failure.retry_after or delay)
                delay = min(2 * delay, LONGEST_POLL_S)

    async def _once(self, ask: Callable[[AsyncOpenAI], Awaitable[Answer]]) -> Answer:
        """Raises Failure for what may pass, UserError for what will not."""
        import openai

        try:
            return await ask(self._opened())
        except openai.APIStatusError as error:
            status = error.status_code
            content = error.response.content
            message = self._transport.line(f"{status} {reason(content)}")
            if may_pass(status, content):
                wait = retry_after(error.response.headers)
                raise Failure(message, status=status, retry_after=wait) from None
            raise UserError(f"{self._transport.url} refuses a batch: {message}") from None
        except openai.APIError as error:
            raise Failure(self._transport.line(error), unreachable=True) from None

    def _opened(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI

            self._client = AsyncOpenAI(
                api_key="in the header",
                base_url=self._transport.url,
                default_headers={"Authorization": self._transport.headers["Authorization"]},
                timeout=self._patience.attempt_s,
                max_retries=0,  # a lost submission is looked for before it is sent again
            )
        return self._client


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
