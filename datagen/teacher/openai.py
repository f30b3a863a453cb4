"""Any OpenAI-compatible endpoint, through the official SDK on aiohttp.

The SDK retries what its policy covers (429 with Retry-After, 5xx, lost connections). What it lets through and is no
answer all the same (a broken body, no choices) is asked again here.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import Any

from datagen.errors import UserError
from datagen.teacher.base import Completion, Messages, Request, TeacherError

RETRIES = 8
TIMEOUT_S = 300.0


class OpenAITeacher:
    """A model behind `OPENAI_BASE_URL` (the public API without it), with the key from `OPENAI_API_KEY`."""

    def __init__(self, model: str, *, concurrency: int = 64):
        self.model = model
        self.name = f"openai:{model}"
        self._url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
        self.base_url = re.sub(r"//[^/@]*@", "//", self._url)  # what is shown and stored: without user and password
        self.identity = f"{self.name}@{self.base_url}"
        self._slots = asyncio.Semaphore(concurrency)
        self._client: Any = None

    @property
    def client(self) -> Any:
        if self._client is None:
            from openai import AsyncOpenAI, DefaultAioHttpClient

            key = os.environ.get("OPENAI_API_KEY")
            if not key:
                raise UserError("OPENAI_API_KEY is not set: export it (a server without keys takes any value)")
            self._client = AsyncOpenAI(
                api_key=key,
                base_url=self._url,
                http_client=DefaultAioHttpClient(timeout=TIMEOUT_S),
                max_retries=RETRIES,
            )
        return self._client

    async def check(self) -> None:
        """Reach the endpoint and look the model up, where it lists its models."""
        import openai

        try:
            page = await self.client.with_options(max_retries=1, timeout=20.0).models.list()
        except openai.NotFoundError:
            return  # an endpoint need not list its models; the first request will tell
        except openai.AuthenticationError as error:
            raise UserError(f"{self.base_url} refused the key in OPENAI_API_KEY ({error.status_code})") from None
        except openai.APIConnectionError as error:
            reason = error.__cause__ or error
            raise UserError(f"cannot reach {self.base_url} (OPENAI_BASE_URL): {first_line(reason)}") from None
        except openai.APIError as error:
            raise UserError(f"{self.base_url} is no OpenAI-compatible server: {first_line(error)}") from None
        names = [model.id for model in page.data]
        if names and self.model not in names:
            raise UserError(f"{self.base_url} has no model {self.model!r}; it has: {', '.join(sorted(names)[:8])}")

    async def complete(self, request: Request) -> list[Completion]:
        """As many calls as the endpoint needs for n choices; each answers at least one."""
        found: list[Completion] = []
        attempts = 0
        while len(found) < request.n:
            async with self._slots:
                answer = await self._ask(request, len(found))
            found += answer
            attempts = 0 if answer else attempts + 1
            if attempts > RETRIES:
                raise TeacherError(f"{attempts} answers without a usable choice")
            if attempts:
                await asyncio.sleep(min(0.25 * 2**attempts, 8.0))
        return found[: request.n]

    async def _ask(self, request: Request, have: int) -> list[Completion]:
        import openai

        try:
            if isinstance(request.prompt, str):
                raw = await self.client.completions.with_raw_response.create(**text_body(self.model, request, have))
            else:
                raw = await self.client.chat.completions.with_raw_response.create(
                    **chat_body(self.model, request, request.prompt, have)
                )
            return completions(json.loads(raw.content))
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise UserError(f"{self.base_url} refuses model {self.model!r}: {first_line(error)}") from None
        except openai.APIError as error:
            raise TeacherError(first_line(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            return []  # a body that is no answer: asked again by the caller

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        raise UserError(
            f"{self.name} cannot score a given continuation: the endpoint returns no prompt log-probabilities; "
            "use hf:NAME_OR_PATH or micro"
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None


def common_body(model: str, request: Request, have: int) -> dict[str, Any]:
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "n": request.n - have,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed + request.first + have,  # one seed a call: samples of later calls must differ
    }
    if sampling.top_p < 1:
        body["top_p"] = sampling.top_p
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    return body


def chat_body(model: str, request: Request, messages: Messages, have: int) -> dict[str, Any]:
    body = common_body(model, request, have)
    body["messages"] = [{"role": role, "content": content} for role, content in messages]
    if request.sampling.logprobs:
        body["logprobs"] = True
    return body


def text_body(model: str, request: Request, have: int) -> dict[str, Any]:
    body = common_body(model, request, have) | {"prompt": request.prompt}
    if request.sampling.logprobs:
        body["logprobs"] = 1
    return body


def completions(reply: dict[str, Any]) -> list[Completion]:
    """The choices of a reply. Usage is the call's: prompt tokens go to the first, completion tokens are shared out."""
    choices = sorted(reply["choices"], key=lambda c: c.get("index", 0))
    usage = reply.get("usage") or {}
    spent, prompt_tokens = int(usage.get("completion_tokens") or 0), int(usage.get("prompt_tokens") or 0)
    share, rest = divmod(spent, max(len(choices), 1))
    return [
        completion(choice, tokens=share + (i < rest), prompt_tokens=prompt_tokens if i == 0 else 0)
        for i, choice in enumerate(choices)
    ]


def completion(choice: dict[str, Any], *, tokens: int, prompt_tokens: int) -> Completion:
    message = choice.get("message") or {}
    return Completion(
        text=(message.get("content") if message else choice.get("text")) or "",
        finish_reason=choice.get("finish_reason") or "unknown",
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        mean_logprob=mean_logprob(choice.get("logprobs")),
        reasoning=message.get("reasoning_content") or message.get("reasoning"),
    )


def mean_logprob(logprobs: dict[str, Any] | None) -> float | None:
    """Chat replies list tokens under `content`, plain ones under `token_logprobs`."""
    if not logprobs:
        return None
    values = [t["logprob"] for t in logprobs.get("content") or []] or logprobs.get("token_logprobs") or []
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
