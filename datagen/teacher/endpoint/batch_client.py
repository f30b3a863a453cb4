"""The calls of the Batch API, with retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl

from datagen.errors import UserError
from datagen.teacher.dialect.errors import error_message, is_retryable
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import Transport, retry_after

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

Answer = TypeVar("Answer")

FIRST_RETRY_S = 0.5
"""Seconds before a failed call is tried again. Each wait doubles it."""
MAX_RETRY_S = 60.0
"""Most seconds between two tries. A batch may take a day, so a minute delays it little."""
NAME_KEY = "emergent-distill"
"""Key of the metadata that holds our own name for a batch."""


class BatchClient:
    """Calls the Batch API of one endpoint."""

    def __init__(self, transport: Transport, patience: Patience):
        self._transport = transport
        self._patience = patience
        self._client: AsyncOpenAI | None = None

    async def find(self, name: str) -> Batch | None:
        """Return the endpoint's batch that has our name, or None."""

        async def look(client: AsyncOpenAI) -> Batch | None:
            async for batch in client.batches.list(limit=100):
                if (batch.metadata or {}).get(NAME_KEY) == name:
                    return batch
            return None

        return await self._retry(look)

    async def submit(self, name: str, path: str, content: bytes) -> Batch:
        """Upload the file of a batch and create the batch.

        Args:
            name: our name for the batch.
            path: the path of the requests, relative to the base URL.
            content: the file.

        Raises:
            Failure: it is unknown whether the batch arrived.
        """
        # a file that is uploaded twice does no harm, but a batch must be created only once
        file = await self._retry(
            lambda client: client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
        )
        return await self._call(
            lambda client: client.batches.create(
                input_file_id=file.id,
                endpoint=f"/v1/{path}",  # type: ignore[arg-type]
                completion_window="24h",
                metadata={NAME_KEY: name},
            )
        )

    async def retrieve(self, id: str) -> Batch:
        """Return the batch with the endpoint's id, in its present state."""
        return await self._retry(lambda client: client.batches.retrieve(id))

    async def content(self, file: str) -> bytes:
        """Return the lines of a file at the endpoint, each without secrets."""
        found = await self._retry(lambda client: client.files.content(file))
        return b"\n".join(map(self._transport.clean, found.content.split(b"\n")))

    async def _retry(self, ask: Callable[[AsyncOpenAI], Awaitable[Answer]]) -> Answer:
        """Return what `ask` returns, and ask again after failures that may pass.

        Raises:
            UserError: the endpoint was down for too long.
        """
        began = time.monotonic()
        delay = FIRST_RETRY_S
        while True:
            try:
                return await self._call(ask)
            except Failure as failure:
                if time.monotonic() - began > self._patience.down_s:
                    minutes = (time.monotonic() - began) / 60
                    raise UserError(
                        f"{self._transport.where} has been down for {minutes:.0f} min ({failure}): "
                        "run the same command later to continue"
                    ) from None
                await asyncio.sleep(failure.retry_after or delay)
                delay = min(2 * delay, MAX_RETRY_S)

    async def _call(self, ask: Callable[[AsyncOpenAI], Awaitable[Answer]]) -> Answer:
        """Return what `ask` returns.

        Raises:
            Failure: another attempt may succeed.
            UserError: no attempt will.
        """
        import openai

        try:
            return await ask(self._open_client())
        except openai.APIStatusError as error:
            status = error.status_code
            content = error.response.content
            message = self._transport.redact(f"{status} {error_message(content)}")
            if is_retryable(status, content):
                wait = retry_after(error.response.headers)
                raise Failure(message, status=status, retry_after=wait) from None
            raise UserError(f"{self._transport.where} refuses a batch: {message}") from None
        except openai.APIError as error:
            raise Failure(self._transport.redact(error), unreachable=True) from None

    def _open_client(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI, Omit

            self._client = AsyncOpenAI(
                # the client needs some key, but the headers below are what is sent: the server may
                # want a user and a password, or another header
                api_key="in the header",
                base_url=self._transport.address.base,
                default_query=dict(parse_qsl(self._transport.address.query)),
                default_headers={"Authorization": Omit(), **self._transport.credentials},  # type: ignore[dict-item]
                timeout=self._patience.attempt_s,
                # retries are ours: a lost submission is searched for before it is sent again
                max_retries=0,
            )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
