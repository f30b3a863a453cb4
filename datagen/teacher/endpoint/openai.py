"""The teacher behind any OpenAI-compatible endpoint: the bodies of requests, and reading replies.

`endpoint.py` sends the requests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datagen.errors import Refused, UserError
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.chat_options import ChatOptions
from datagen.teacher.endpoint.batch import Batches
from datagen.teacher.endpoint.endpoint import Endpoint
from datagen.teacher.endpoint.prompt_logprobs import score
from datagen.teacher.endpoint.thinking import chat_fields
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import TOO_MANY, Failure, without_credentials
from datagen.teacher.reasoning import split_reasoning
from datagen.teacher.scoring import score_each
from datagen.teacher.spec import ENGINES

CHECK_S = 20.0
"""Seconds for the list of models. The list is short, so a slower server counts as unreachable."""
FATAL_STATUSES = {301, 302, 303, 307, 308, 401, 402, 403, 404, TOO_MANY}
"""Statuses that every request would get: the URL, the key, the credit or the model is wrong."""


class OpenAITeacher:
    """A model behind `OPENAI_BASE_URL`, or behind the public API if that is not set.

    The key comes from `OPENAI_API_KEY`.
    """

    capabilities = ENGINES["openai"]

    def __init__(
        self,
        model: str,
        *,
        concurrency: int = 64,
        patience: Patience | None = None,
        batches: Path | None = None,
        chat: ChatOptions | None = None,
    ):
        """Args:
        model: the name that the endpoint knows.
        concurrency: the most requests in flight.
        patience: how long to wait for the endpoint.
        batches: a file that records the submitted batches. With it, the Batch API is used.
        chat: whether the model thinks, and variables of its chat template.
        """
        self.model = model
        self.name = f"openai:{model}"
        self._url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
        self.base_url = without_credentials(self._url)
        """The URL that messages and lineage show."""
        self._chat = chat or ChatOptions()
        self._concurrency = concurrency
        self._patience = patience or Patience()
        self._batches_file = batches
        self._endpoint: Endpoint | None = None
        self._batches: Batches | None = None

    async def identify(self) -> str:
        return f"{self.name}{self._chat.suffix}@{self.base_url}"

    async def open(self) -> None:
        """Connect to the endpoint, and look the model up if the endpoint lists its models.

        Raises:
            UserError: the endpoint cannot be reached, refuses the key, or lacks the model.
        """
        try:
            names = await self._model_names()
        except Refused as error:
            if error.status in {401, 403}:
                raise UserError(
                    f"{self.base_url} refused the key in OPENAI_API_KEY ({error.status})"
                ) from None
            # an endpoint need not list its models
            if error.status != 404:
                raise UserError(
                    f"{self.base_url} is no OpenAI-compatible server: {error}"
                ) from None
            return
        except Failure as failure:
            # after a 429 the endpoint is there, and the requests wait as it asks
            if failure.status != TOO_MANY:
                raise UserError(
                    f"cannot reach {self.base_url} (OPENAI_BASE_URL): {failure}"
                ) from None
            return
        if names and self.model not in names:
            has = ", ".join(sorted(names)[:8])
            raise UserError(f"{self.base_url} has no model {self.model!r}; it has: {has}")

    async def complete(self, request: Request) -> list[Completion]:
        """Return the n samples of a request.

        An endpoint may return fewer choices than were asked for. It is called until there are n.
        """
        found: list[Completion] = []
        try:
            while len(found) < request.n:
                path, body = make_call(self.model, request, len(found))
                if not isinstance(request.prompt, str):
                    body |= chat_fields(self._chat, self.base_url)
                found += await self._completion_service().ask(path, body, completions)
        except Refused as error:
            if error.status in FATAL_STATUSES:
                raise UserError(f"{self.base_url} refuses model {self.model!r}: {error}") from None
            raise
        return found[: request.n]

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Return the log-probability in nats of each token of the continuation, given the prompt.

        Only vLLM servers return it.
        """
        try:
            fields = chat_fields(self._chat, self.base_url)
            return await score(self._open_endpoint(), self.model, prompt, continuation, fields)
        except Refused as error:
            raise UserError(
                f"{self.name} cannot score a given continuation: {self.base_url} returns no prompt "
                f"log-probabilities as a vLLM server does ({error}); use hf:NAME_OR_PATH or micro"
            ) from None

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        return await score_each(self, pairs)

    async def close(self) -> None:
        """Cancel the requests in flight. A later request opens the endpoint again."""
        for opened in (self._batches, self._endpoint):
            if opened is not None:
                await opened.close()
        self._batches = None
        self._endpoint = None

    async def _model_names(self) -> list[str]:
        content = await self._open_endpoint().transport.send("GET", "models", timeout=CHECK_S)
        try:
            return [model["id"] for model in json.loads(content)["data"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self.base_url} is no OpenAI-compatible server: it lists no models"
            ) from None

    def _open_endpoint(self) -> Endpoint:
        if self._endpoint is None:
            self._endpoint = Endpoint(
                self._url, api_key(), concurrency=self._concurrency, patience=self._patience
            )
        return self._endpoint

    def _completion_service(self) -> Endpoint | Batches:
        """Return the object that requests for completions go to."""
        if self._batches_file is None:
            return self._open_endpoint()
        if self._batches is None:
            transport = self._open_endpoint().transport
            self._batches = Batches(transport, self._batches_file, self._patience)
        return self._batches


def api_key() -> str:
    """Return the key in OPENAI_API_KEY.

    Raises:
        UserError: there is none, or it holds a character that no key has.
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key:
        raise UserError(
            "OPENAI_API_KEY is not set: export it (a server without keys takes any value)"
        )
    if not (key.isascii() and key.isprintable()):
        raise UserError("OPENAI_API_KEY holds a character that no key has: copy it again")
    return key


def make_call(model: str, request: Request, have: int) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of the call for the samples after the first `have`."""
    if isinstance(request.prompt, str):
        return "completions", text_body(model, request, have)
    return "chat/completions", chat_body(model, request, request.prompt, have)


def common_body(model: str, request: Request, have: int) -> dict[str, Any]:
    """Return the part of the body that chat and text requests share."""
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
    """Return the usable choices of a reply, at least one.

    Usage is counted for the whole call. The first choice gets the prompt tokens; the completion
    tokens are split evenly.

    Raises:
        Failure: no choice has content.
    """
    choices = sorted(reply["choices"], key=lambda c: c.get("index", 0))
    usage = reply.get("usage") or {}
    spent = int(usage.get("completion_tokens") or 0)
    prompt_tokens = int(usage.get("prompt_tokens") or 0)
    cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)

    # the first choices get the remainder, so that the sum is what the endpoint counted
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
    """Return a choice as a completion, or None if it has no content and no reason for that."""
    message = choice.get("message") or {}
    content = message.get("content") if message else choice.get("text")
    if content is None:
        # the field of a model that refused to follow a JSON schema
        content = message.get("refusal")
    finish_reason = choice.get("finish_reason")
    field = message.get("reasoning_content") or message.get("reasoning")
    if content is None and not field and finish_reason in {None, "stop"}:
        return None
    reasoning, text = split_reasoning(readable(content or ""), readable(field or ""))
    return Completion(
        text=text,
        finish_reason=str(finish_reason or "unknown"),
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        mean_logprob=mean_logprob(choice.get("logprobs")),
        reasoning=reasoning,
    )


def readable(text: str) -> str:
    """Return the text with U+FFFD in place of unpaired surrogates, which no file can hold."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def mean_logprob(logprobs: dict[str, Any] | None) -> float | None:
    """Return the mean over a choice's tokens, in nats.

    Chat replies list tokens under `content`, text replies under `token_logprobs`.
    """
    if not logprobs:
        return None
    chat = [token["logprob"] for token in logprobs.get("content") or []]
    values = [value for value in chat or logprobs.get("token_logprobs") or [] if value is not None]
    return sum(values) / len(values) if values else None
