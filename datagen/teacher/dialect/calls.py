"""Asking a server for completions, in the terms that the server takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from datagen.errors import Refused, UserError
from datagen.teacher.base import Completion, Request
from datagen.teacher.dialect.bodies import make_call
from datagen.teacher.dialect.fields import EFFECTS, NEEDED, Terms
from datagen.teacher.dialect.replies import completions
from datagen.terminal import show

Answer = TypeVar("Answer")


class Service(Protocol):
    """Where requests go, with retries: an endpoint, or its Batch API."""

    async def ask(
        self, path: str, body: dict[str, Any], read: Callable[[dict[str, Any]], Answer]
    ) -> Answer: ...


class Calls:
    """Requests for completions of one model.

    A field that the server refuses is left out of all later calls, and the user is told once.
    """

    def __init__(
        self,
        name: str,
        model: str,
        *,
        explain: Callable[[Refused, str], Exception],
        chat_fields: Mapping[str, Any] | None = None,
        log: Callable[[str], None] | None = None,
    ):
        """Args:
        name: the teacher's name, for messages.
        model: the name that the server knows.
        explain: makes the error of a refusal and the path that was asked.
        chat_fields: further fields of the requests in chat form.
        log: takes each line for the user. Default: standard error.
        """
        self._name = name
        self._model = model
        self._explain = explain
        self._chat_fields = chat_fields or {}
        self._log = log or (lambda line: show(line, error=True))
        self._terms = Terms()
        self._estimates = False

    async def complete(self, request: Request, service: Service) -> list[Completion]:
        """Return the n samples of a request.

        A server may return fewer choices than were asked for. It is called until there are n.
        """
        found: list[Completion] = []
        while len(found) < request.n:
            found += await self._call(request, service, have=len(found))
        return found

    async def _call(self, request: Request, service: Service, *, have: int) -> list[Completion]:
        """Return samples after the first `have`, at least one.

        If the server refuses a field, the call is made again without it. The field stays out of
        later calls once a call without it is answered.
        """
        path, body = make_call(self._model, request, have)
        if not isinstance(request.prompt, str):
            body |= self._chat_fields
        read = partial(completions, request=request, wanted=request.n - have)
        terms = self._terms
        while True:
            asked = terms.apply(body)
            try:
                answers = await service.ask(path, asked, read)
            except Refused as error:
                terms = self._terms_after(error, asked, terms, path)
                continue
            self._keep(terms)
            self._check(answers, request)
            return [replace(a, left_out=tuple(sorted(terms.left_out))) for a in answers]

    def _terms_after(
        self, error: Refused, asked: Mapping[str, Any], terms: Terms, path: str
    ) -> Terms:
        """Return the terms for another call after a refusal.

        Raises:
            TeacherError: no other terms can help this request.
            UserError: no request can be answered.
        """
        # other calls may have found out more in the meantime
        found = self._terms | terms.after(error, asked, self._name)
        if found == terms:
            raise self._explain(error, path) from None
        return found

    def _keep(self, terms: Terms) -> None:
        """Use the terms of an answered call for later ones, and tell the user what is new."""
        new = terms.left_out - self._terms.left_out
        self._terms |= terms
        if new:
            effects = "; ".join(effect for name, effect in EFFECTS.items() if name in new)
            self._log(f"{self._name} refused a part of the request: from now on {effects}")

    def _check(self, answers: Sequence[Completion], request: Request) -> None:
        """Tell the user if tokens are estimated.

        Raises:
            UserError: log-probabilities were asked for, and there are none.
        """
        said = [answer for answer in answers if answer.text]
        if request.sampling.logprobs and said and all(a.mean_logprob is None for a in said):
            raise UserError(f"{self._name} {NEEDED['logprobs']}: its reply has none")
        if not self._estimates and any(answer.estimated for answer in answers):
            self._estimates = True
            self._log(f"{self._name} does not count tokens: they are estimated, one for 4 bytes")
