"""The teacher behind any OpenAI-compatible endpoint.

`endpoint.py` sends the requests, and `datagen.teacher.dialect` knows how servers differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from datagen.errors import Refused, UserError
from datagen.teacher.base import Completion, Messages, Pair, Request
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.dialect.calls import Calls
from datagen.teacher.dialect.errors import FLAGGED, TOO_MANY, page_title
from datagen.teacher.dialect.failure import Failure
from datagen.teacher.dialect.thinking import chat_fields
from datagen.teacher.endpoint.address import Address
from datagen.teacher.endpoint.batch import Batches
from datagen.teacher.endpoint.endpoint import Endpoint
from datagen.teacher.endpoint.prompt_logprobs import score
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.endpoint.transport import Transport
from datagen.teacher.scoring import score_each
from datagen.teacher.spec import ENGINES

PUBLIC = "https://api.openai.com/v1"
CHECK_S = 20.0
"""Seconds for the list of models. The list is short, so a slower server counts as unreachable."""
FATAL_STATUSES = {301, 302, 303, 307, 308, 401, 402, 403, 404, 405, TOO_MANY}
"""Statuses that every request would get: the URL, the key, the credit or the model is wrong."""


class OpenAITeacher:
    """A model behind `OPENAI_BASE_URL`, or behind the public API if that is not set.

    The key comes from `OPENAI_API_KEY`. Fields that the server refuses are left out for the rest of
    the run.
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
        self.address = Address.parse(os.environ.get("OPENAI_BASE_URL", PUBLIC))
        self.base_url = self.address.shown
        """The URL that messages and lineage show."""
        self._chat = chat or ChatOptions()
        self._concurrency = concurrency
        self._patience = patience or Patience()
        self._batches_file = batches
        self._calls = Calls(
            self.name,
            model,
            explain=self._explain,
            chat_fields=chat_fields(self._chat, self.base_url),
        )
        self._transport: Transport | None = None
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
            if error.status == 401:
                raise UserError(
                    f"{self.base_url} refused the key in OPENAI_API_KEY ({error.status})"
                ) from None
            if 300 <= error.status < 400:
                raise UserError(
                    f"{self.base_url} is no OpenAI-compatible server: {error}"
                ) from None
            # an endpoint need not list its models, or not to every key
            return
        except Failure as failure:
            # after a 429 the endpoint is there, and the requests wait as it asks
            if failure.status != TOO_MANY:
                raise UserError(
                    f"cannot reach {self.base_url} (OPENAI_BASE_URL): {failure}"
                ) from None
            return
        # Azure lists its models, but is asked by the names of deployments
        if names and not self.address.is_azure and not is_listed(self.model, names):
            has = ", ".join(sorted(names)[:8])
            raise UserError(f"{self.base_url} has no model {self.model!r}; it has: {has}")

    async def complete(self, request: Request) -> list[Completion]:
        return await self._calls.complete(request, self._completion_service())

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

    def _explain(self, error: Refused, path: str) -> Refused | UserError:
        """Return the error for a refusal: a UserError if every other request would fail too."""
        if error.status not in FATAL_STATUSES or is_about_one_text(error):
            return error
        if error.status in {404, 405} and "model" not in str(error):
            return UserError(
                f"{self.address.shown}/{path} answered {error}. Check OPENAI_BASE_URL "
                f"({self.address.hint()}) and the model's name {self.model!r}"
            )
        return UserError(f"{self.base_url} refuses model {self.model!r}: {error}")

    async def _model_names(self) -> list[str]:
        content = await self._open_endpoint().transport.send("GET", "models", timeout=CHECK_S)
        try:
            return [str(model["id"]) for model in json.loads(content)["data"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            page = page_title(content[:100_000].decode("utf-8", "replace"))
            raise UserError(
                f"{self.base_url} is no OpenAI-compatible server: it lists no models"
                + (f", but answers {page}" if page else "")
                + f". Check OPENAI_BASE_URL ({self.address.hint()})"
            ) from None

    def _open_endpoint(self) -> Endpoint:
        if self._endpoint is None:
            self._transport = Transport(self.address, api_key())
            self._endpoint = Endpoint(
                self._transport, concurrency=self._concurrency, patience=self._patience
            )
        return self._endpoint

    def _completion_service(self) -> Endpoint | Batches:
        """Return the object that requests for completions go to."""
        endpoint = self._open_endpoint()
        if self._batches_file is None:
            return endpoint
        if self._batches is None:
            assert self._transport
            self._batches = Batches(self._transport, self._batches_file, self._patience)
        return self._batches


def is_listed(model: str, names: Sequence[str]) -> bool:
    """Return whether a model is among the names that a server lists.

    A server may list it with a prefix, or one of the two may have a tag behind a colon.

    Example:
        >>> is_listed("gem-2", ["models/gem-2"]), is_listed("org/m:free", ["org/m"])
        (True, True)
    """
    plain = model.partition(":")[0]
    return any(
        name in (model, plain)
        or name.partition(":")[0] == model
        or name.endswith(f"/{model}")
        or fnmatchcase(model, name)
        for name in names
    )


def is_about_one_text(error: Refused) -> bool:
    """Return whether a server refuses one text, so that it can answer others."""
    return bool(FLAGGED.search(str(error)))


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
