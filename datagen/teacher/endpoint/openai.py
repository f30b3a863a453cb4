"""The teacher behind any OpenAI-compatible endpoint: what is asked, and what the replies mean.

How it is asked stands in endpoint.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datagen.errors import Refused, UserError
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.endpoint.batch import Batches
from datagen.teacher.endpoint.endpoint import Endpoint
from datagen.teacher.endpoint.prompt_logprobs import score
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import TOO_MANY, Failure, without_password
from datagen.teacher.scoring import score_each
from datagen.teacher.spec import ENGINES

CHECK_S = 20.0
"""Seconds for the list of models: it is short, so a slower server is taken for none."""
NO_WAY_IN = {301, 302, 303, 307, 308, 401, 402, 403, 404, TOO_MANY}
"""Refusals that every request would meet: address, key, credit, model."""


class OpenAITeacher:
    """A model behind `OPENAI_BASE_URL` (the public API without it), with the key from
    `OPENAI_API_KEY`.
    """

    capabilities = ENGINES["openai"]

    def __init__(
        self,
        model: str,
        *,
        concurrency: int = 64,
        patience: Patience | None = None,
        batches: Path | None = None,
    ):
        """Args:
        model: The name that the endpoint knows.
        concurrency: Most requests in flight.
        patience: How long the endpoint is waited for.
        batches: A file that remembers what is under way. With it, the Batch API is asked.
        """
        self.model = model
        self.name = f"openai:{model}"
        self._url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
        self.base_url = without_password(self._url)
        """The URL that messages and lineage show."""
        self._concurrency = concurrency
        self._patience = patience or Patience()
        self._batches_file = batches
        self._endpoint: Endpoint | None = None
        self._batches: Batches | None = None

    async def identify(self) -> str:
        return f"{self.name}@{self.base_url}"

    async def open(self) -> None:
        """Reach the endpoint and look the model up, if it lists its models."""
        try:
            names = await self._model_names()
        except Refused as error:
            if error.status in {401, 403}:
                raise UserError(
                    f"{self.base_url} refused the key in OPENAI_API_KEY ({error.status})"
                ) from None
            if error.status != 404:  # an endpoint need not list its models
                raise UserError(
                    f"{self.base_url} is no OpenAI-compatible server: {error}"
                ) from None
            return
        except Failure as failure:
            if failure.status != TOO_MANY:  # after a 429 the requests wait as it asks
                raise UserError(
                    f"cannot reach {self.base_url} (OPENAI_BASE_URL): {failure}"
                ) from None
            return
        if names and self.model not in names:
            has = ", ".join(sorted(names)[:8])
            raise UserError(f"{self.base_url} has no model {self.model!r}; it has: {has}")

    async def complete(self, request: Request) -> list[Completion]:
        """As many calls as the endpoint needs for n choices; each answers at least one."""
        found: list[Completion] = []
        try:
            while len(found) < request.n:
                path, body = call(self.model, request, len(found))
                found += await self._asked().ask(path, body, completions)
        except Refused as error:
            if error.status in NO_WAY_IN:
                raise UserError(f"{self.base_url} refuses model {self.model!r}: {error}") from None
            raise
        return found[: request.n]

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Log-probability in nats of each token of the continuation, given the prompt.

        Only vLLM servers return it.
        """
        try:
            return await score(self._opened(), self.model, prompt, continuation)
        except Refused as error:
            raise UserError(
                f"{self.name} cannot score a given continuation: {self.base_url} returns no prompt "
                f"log-probabilities as a vLLM server does ({error}); use hf:NAME_OR_PATH or micro"
            ) from None

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return await score_each(self, pairs)

    async def close(self) -> None:
        """Stop what is in flight. A later request opens the endpoint again."""
        for opened in (self._batches, self._endpoint):
            if opened is not None:
                await opened.close()
        self._batches = None
        self._endpoint = None

    async def _model_names(self) -> list[str]:
        content = await self._opened().transport.send("GET", "models", timeout=CHECK_S)
        try:
            return [model["id"] for model in json.loads(content)["data"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self.base_url} is no OpenAI-compatible server: it lists no models"
            ) from None

    def _opened(self) -> Endpoint:
        if self._endpoint is None:
            self._endpoint = Endpoint(
                self._url, api_key(), concurrency=self._concurrency, patience=self._patience
            )
        return self._endpoint

    def _asked(self) -> Endpoint | Batches:
        """What answers requests for completions."""
        if self._batches_file is None:
            return self._opened()
        if self._batches is None:
            transport = self._opened().transport
            self._batches = Batches(transport, self._batches_file, self._patience)
        return self._batches


def api_key() -> str:
    """The key in OPENAI_API_KEY. Raises UserError for none, or for one that no key looks like."""
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key:
        raise UserError(
            "OPENAI_API_KEY is not set: export it (a server without keys takes any value)"
        )
    if not (key.isascii() and key.isprintable()):
        raise UserError("OPENAI_API_KEY holds a character that no key has: copy it again")
    return key


def call(model: str, request: Request, have: int) -> tuple[str, dict[str, Any]]:
    """Path and body of the call for the samples that are still wanted after the first `have`."""
    if isinstance(request.prompt, str):
        return "completions", text_body(model, request, have)
    return "chat/completions", chat_body(model, request, request.prompt, have)


def common_body(model: str, request: Request, have: int) -> dict[str, Any]:
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "n": request.n - have,
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        # one seed for each call: the samples of later calls must differ
        "seed": sampling.seed + request.first + have,
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
    if request.sampling.schema:
        asked = {"name": "answer", "strict": True, "schema": json.loads(request.sampling.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": asked}
    return body


def text_body(model: str, request: Request, have: int) -> dict[str, Any]:
    body = common_body(model, request, have) | {"prompt": request.prompt}
    if request.sampling.logprobs:
        body["logprobs"] = 1
    return body


def completions(reply: dict[str, Any]) -> list[Completion]:
    """The usable choices of a reply, at least one.

    Usage is the call's: prompt tokens go to the first choice, completion tokens are shared out.

    Raises:
        Failure: No choice has content.
    """
    choices = sorted(reply["choices"], key=lambda c: c.get("index", 0))
    usage = reply.get("usage") or {}
    spent = int(usage.get("completion_tokens") or 0)
    prompt_tokens = int(usage.get("prompt_tokens") or 0)
    cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)

    share, rest = divmod(spent, max(len(choices), 1))
    billed = (prompt_tokens, min(cached, prompt_tokens))
    usable: list[Completion] = []
    for i, choice in enumerate(choices):
        if answer := completion(choice, share + (i < rest), *((0, 0) if usable else billed)):
            usable.append(answer)
    if not usable:
        raise Failure("a reply with null content" if choices else "a reply without choices")
    return usable


def completion(
    choice: dict[str, Any], tokens: int, prompt_tokens: int, cached_tokens: int
) -> Completion | None:
    """A choice as a completion; None if it has no content and no reason for that."""
    message = choice.get("message") or {}
    content = message.get("content") if message else choice.get("text")
    if content is None:
        content = message.get("refusal")  # the model refused to follow a JSON schema
    finish_reason = choice.get("finish_reason")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if content is None and not reasoning and finish_reason in {None, "stop"}:
        return None
    return Completion(
        text=readable(content or ""),
        finish_reason=str(finish_reason or "unknown"),
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        mean_logprob=mean_logprob(choice.get("logprobs")),
        reasoning=readable(reasoning) if reasoning else None,
    )


def readable(text: str) -> str:
    """The text with U+FFFD in the place of halves of surrogate pairs, which no file can hold."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mean_logprob(logprobs: dict[str, Any] | None) -> float | None:
    """The mean over a choice's tokens, in nats.

    Chat replies list tokens under `content`, plain ones under `token_logprobs`.
    """
    if not logprobs:
        return None
    chat = [token["logprob"] for token in logprobs.get("content") or []]
    values = [value for value in chat or logprobs.get("token_logprobs") or [] if value is not None]
    return sum(values) / len(values) if values else None
