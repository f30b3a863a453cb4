"""The teacher behind a provider that has an API of its own, through the library any-llm.

The library speaks each provider's API and answers in the form of OpenAI's. So the queue, the
retries and the reading of replies are the same as for `openai:`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from datagen.errors import ContextExceeded, Refused, UserError
from datagen.json_bytes import loads
from datagen.secrets import Secrets
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.dialect.calls import Calls
from datagen.teacher.dialect.errors import is_retryable, one_line, refusal
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.dialect.thinking import effort
from datagen.teacher.endpoint.endpoint import Endpoint
from datagen.teacher.endpoint.openai import FATAL_STATUSES, is_about_one_text
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import LONGEST_MESSAGE, retry_after
from datagen.teacher.spec import ENGINES
from datagen.terminal import visible

STATUSES = {
    "RateLimitError": 429,
    "AuthenticationError": 401,
    "InsufficientFundsError": 402,
    "ModelNotFoundError": 404,
    "ContentFilterError": 400,
    "InvalidRequestError": 400,
    "UnsupportedParameterError": 400,
    "ContextLengthExceededError": 400,
}
"""HTTP statuses for the library's errors, where an error carries none. Others may pass."""


class AnyLlmTeacher:
    """A model of any provider that the library any-llm knows.

    The key comes from the provider's own variable, such as `ANTHROPIC_API_KEY`. Fields that the
    provider refuses are left out for the rest of the run.
    """

    capabilities = ENGINES["any-llm"]

    def __init__(
        self,
        model: str,
        *,
        concurrency: int = 64,
        patience: Patience | None = None,
        chat: ChatOptions | None = None,
    ):
        """Args:
        model: PROVIDER/MODEL.
        concurrency: the most requests in flight.
        patience: how long to wait for the provider.
        chat: whether the model thinks.
        """
        self.name = f"any-llm:{model}"
        self._chat = chat or ChatOptions()
        self._provider, _, self._model = model.partition("/")
        self._concurrency = concurrency
        self._patience = patience or Patience()
        self._calls = Calls(
            self.name, self._model, explain=self._explain, chat_fields=effort(self._chat, self.name)
        )
        self._endpoint: Endpoint | None = None

    async def identify(self) -> str:
        return self.name + self._chat.suffix

    async def open(self) -> None:
        """Make the provider's client. Nothing is asked.

        Raises:
            UserError: the library is not installed, knows no such provider, or finds no key.
        """
        self._open_endpoint()

    async def complete(self, request: Request) -> list[Completion]:
        if isinstance(request.prompt, str):
            raise UserError(f"{self.name} continues no plain text: use --prompt_style chat")
        return await self._calls.complete(request, self._open_endpoint())

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        raise UserError(f"{self.name} cannot score a given continuation: use hf:NAME_OR_PATH")

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return [await self.score(*pair) for pair in pairs]

    async def close(self) -> None:
        if self._endpoint is not None:
            await self._endpoint.close()
        self._endpoint = None

    def _open_endpoint(self) -> Endpoint:
        if self._endpoint is None:
            sender = Sender(self._provider, make_client(self._provider))
            self._endpoint = Endpoint(
                sender, concurrency=self._concurrency, patience=self._patience
            )
        return self._endpoint

    def _explain(self, error: Refused, path: str) -> Refused | UserError:
        if error.status not in FATAL_STATUSES or is_about_one_text(error):
            return error
        return UserError(f"{self._provider} refuses model {self._model!r}: {error}")


class Sender:
    """Sends the bodies of requests through a client of any-llm."""

    def __init__(self, provider: str, client: Any):
        self.where = f"any-llm:{provider}"
        self._client = client
        key = os.environ.get(getattr(client, "ENV_API_KEY_NAME", None) or "")
        self._secrets = Secrets(keys=[key] if key else [])

    async def send(
        self, method: str, path: str, body: bytes | None = None, *, timeout: float
    ) -> bytes:
        """Return the reply to a chat request.

        Raises:
            Failure: another attempt may succeed.
            Refused: the provider will never take this request.
            ContextExceeded: the text is longer than the model's context.
        """
        assert body
        try:
            async with asyncio.timeout(timeout):
                reply = await self._client.acompletion(**loads(body))
        except TimeoutError:
            raise Failure(f"no answer within {timeout:.0f} s", status=408) from None
        except Exception as error:
            raise self._explained(error) from None
        content: str = reply.model_dump_json()
        return self._secrets.body(content.encode())

    def redact(self, error: object) -> str:
        """Return an error as one line without secrets and control characters."""
        text = one_line(self._secrets.message(str(error))) or type(error).__name__
        return visible(text)[:LONGEST_MESSAGE]

    async def close(self) -> None:
        """Do nothing: the library closes its connections itself."""

    def _explained(self, error: Exception) -> Failure | Refused | ContextExceeded:
        """Return our error for one of the library, or of a provider's own client."""
        kind = type(error).__name__
        status = getattr(error, "status_code", None) or STATUSES.get(kind, 0)
        param = getattr(error, "param", None)
        text = str(error)
        if param and param not in text:
            text += f" (param: {param})"
        message = self.redact(f"{status or kind} {text}")
        if kind == "ContextLengthExceededError":
            return ContextExceeded(message)
        if not status or is_retryable(status, text.encode("utf-8", "replace")):
            wait = retry_after({"Retry-After": getattr(error, "retry_after", None) or ""})
            return Failure(message, status=status, retry_after=wait)
        return refusal(status, message, text.encode("utf-8", "replace"))


def make_client(provider: str) -> Any:
    """Return the library's client of a provider. It does not retry, because the endpoint does.

    Raises:
        UserError: the library or a part of it is not installed, the provider is unknown, or its key
            is not set.
    """
    try:
        from any_llm import AnyLLM
        from any_llm.exceptions import AnyLLMError, UnsupportedParameterError
    except ImportError as error:
        raise UserError(
            f"any-llm is not installed ({error}): pip install 'emergent-distill[any-llm]'"
        ) from None
    try:
        try:
            return AnyLLM.create(provider, unified_exceptions=True, max_retries=0)
        except UnsupportedParameterError:
            # the client of this provider has no number of retries to set
            return AnyLLM.create(provider, unified_exceptions=True)
    except (AnyLLMError, ImportError, ValueError) as error:
        raise UserError(f"any-llm:{provider}/MODEL: {one_line(str(error))[:400]}") from None
