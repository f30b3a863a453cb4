"""A teacher that can be asked synchronously and asynchronously, for use from Python."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypeVar

from datagen.errors import UserError
from datagen.teacher import connect
from datagen.teacher.base import Capabilities, Completion, Messages, Request, Sampling, Teacher
from datagen.teacher.loop_thread import LoopThread
from datagen.teacher.spec import TeacherSpec

Result = TypeVar("Result")

Prompt: TypeAlias = str | Sequence[Mapping[str, str]] | Messages
"""A question; or chat turns, as {"role": ..., "content": ...} or as (role, content)."""
PromptStyle: TypeAlias = Literal["chat", "plain"]
"""Whether a string is the message of a user, or text that the teacher continues."""


class TeacherClient:
    """A teacher with plain methods. Each has an asynchronous twin whose name begins with `a`.

    All work runs on an event loop in the client's own thread. So the plain methods also work where
    a loop is running already, as in a notebook, and many threads may share a client.

    Example:
        >>> with TeacherClient.connect("micro") as teacher:
        ...     answers = teacher.ask("What is 3 plus 4?", samples=2, max_tokens=8)
        >>> len(answers)
        2
    """

    def __init__(self, teacher: Teacher):
        self._teacher = teacher
        self._thread = LoopThread()
        self._opening = asyncio.Lock()
        self._is_open = False

        # the thread also ends when a client is garbage-collected without `close`
        self._stop = weakref.finalize(self, self._thread.stop)

    @classmethod
    def connect(cls, spec: str | TeacherSpec, **options: Any) -> TeacherClient:
        """Return the client of the teacher that a spec names. Nothing is loaded or reached yet.

        Args:
            spec: `micro`, `hf:NAME_OR_PATH`, `vllm:NAME_OR_PATH`, `openai:MODEL` or
                `any-llm:PROVIDER/MODEL`.
            options: the keyword arguments of `datagen.teacher.connect`.

        Raises:
            UserError: the spec names no teacher.
        """
        return cls(connect(spec, **options))

    @property
    def name(self) -> str:
        """The spec, as given to `connect`."""
        return self._teacher.name

    @property
    def capabilities(self) -> Capabilities:
        """What the teacher's engine can do."""
        return self._teacher.capabilities

    def identity(self) -> str:
        """Return the name with the endpoint's URL or the revision of the weights. Loads no weights.

        Raises:
            UserError: There is no such model.
        """
        return self._run(self._identify)

    def ask(
        self,
        prompt: Prompt,
        *,
        samples: int = 1,
        temperature: float = Sampling.temperature,
        top_p: float = Sampling.top_p,
        max_tokens: int = Sampling.max_tokens,
        stop: Sequence[str] = (),
        seed: int = 0,
        prompt_style: PromptStyle = "chat",
    ) -> list[Completion]:
        """Return the teacher's answers to one prompt. The first call opens the teacher.

        Args:
            prompt: A question, or chat turns.
            samples: Number of answers.
            temperature: 0 is greedy.
            top_p: Probability mass of the tokens that may be drawn, in (0, 1].
            max_tokens: Most tokens of an answer.
            stop: An answer ends before the first of these strings.
            seed: The same seed gives the same answers, if the engine allows it.
            prompt_style: "chat" sends a string as a user's message; "plain" lets the teacher
                continue it.

        Returns:
            The answers, in the order of their sample index.

        Raises:
            TeacherError: The request failed for good. The subclass says how.
            UserError: The teacher cannot be opened, or no request can be answered.
        """
        sampling = Sampling(
            temperature=temperature, top_p=top_p, max_tokens=max_tokens, stop=tuple(stop), seed=seed
        )
        request = Request(as_prompt(prompt, prompt_style), n=samples, sampling=sampling)
        return self._run(lambda: self._complete(request))

    async def aask(
        self,
        prompt: Prompt,
        *,
        samples: int = 1,
        temperature: float = Sampling.temperature,
        top_p: float = Sampling.top_p,
        max_tokens: int = Sampling.max_tokens,
        stop: Sequence[str] = (),
        seed: int = 0,
        prompt_style: PromptStyle = "chat",
    ) -> list[Completion]:
        """Return the teacher's answers to one prompt, like `ask`, without blocking the event loop.

        Calls that are awaited together are batched together.
        """
        sampling = Sampling(
            temperature=temperature, top_p=top_p, max_tokens=max_tokens, stop=tuple(stop), seed=seed
        )
        request = Request(as_prompt(prompt, prompt_style), n=samples, sampling=sampling)
        return await self._arun(lambda: self._complete(request))

    def score(
        self, prompt: Prompt, continuation: str, *, prompt_style: PromptStyle = "chat"
    ) -> list[float]:
        """Return the log-probability, in nats, of each token of a continuation given the prompt.

        Raises:
            TeacherError: The request failed for good. The subclass says how.
            UserError: The teacher cannot be opened, or it cannot score.
        """
        asked = as_prompt(prompt, prompt_style)
        return self._run(lambda: self._score(asked, continuation))

    async def ascore(
        self, prompt: Prompt, continuation: str, *, prompt_style: PromptStyle = "chat"
    ) -> list[float]:
        """Score a continuation, like `score`, without blocking the event loop."""
        asked = as_prompt(prompt, prompt_style)
        return await self._arun(lambda: self._score(asked, continuation))

    def close(self) -> None:
        """Stop the requests in flight, and release the model or the connections.

        Nothing can be asked afterwards. A second call does nothing.
        """
        if self._stop.alive:
            self._run(self._teacher.close)
            self._stop()

    async def aclose(self) -> None:
        """Close the client, like `close`, without blocking the event loop."""
        if self._stop.alive:
            await self._arun(self._teacher.close)
            self._stop()

    def __enter__(self) -> TeacherClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> TeacherClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"TeacherClient({self.name!r})"

    async def _identify(self) -> str:
        return await self._teacher.identify()

    async def _complete(self, request: Request) -> list[Completion]:
        await self._open()
        return await self._teacher.complete(request)

    async def _score(self, prompt: str | Messages, continuation: str) -> list[float]:
        # refused before opening, which can load a large model
        if not self.capabilities.score:
            raise UserError(f"{self.name} cannot score a given continuation")
        await self._open()
        return await self._teacher.score(prompt, continuation)

    async def _open(self) -> None:
        # many calls may come at once, and a failed opening is tried again by the next call
        async with self._opening:
            if not self._is_open:
                await self._teacher.open()
                self._is_open = True

    def _run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        self._check_open()
        return self._thread.run(awaited(work))

    async def _arun(self, work: Callable[[], Awaitable[Result]]) -> Result:
        self._check_open()
        return await self._thread.arun(awaited(work))

    def _check_open(self) -> None:
        if not self._stop.alive:
            raise UserError(f"the teacher {self.name} is closed: connect again")


async def awaited(work: Callable[[], Awaitable[Result]]) -> Result:
    """Await what `work` returns.

    The event loop needs a coroutine, and `work` may return any awaitable.
    """
    return await work()


def as_prompt(prompt: Prompt, style: PromptStyle) -> str | Messages:
    """Return a prompt as a request holds it.

    Raises:
        UserError: It is neither a text nor chat turns.

    Example:
        >>> as_prompt("Why?", "chat")
        (('user', 'Why?'),)
        >>> as_prompt([{"role": "user", "content": "Why?"}], "chat")
        (('user', 'Why?'),)
    """
    if isinstance(prompt, str):
        return prompt if style == "plain" else (("user", prompt),)
    try:
        return tuple(as_turn(turn) for turn in prompt)
    except (TypeError, ValueError, KeyError):
        raise UserError(
            "a prompt is a text, or a list of turns such as {'role': 'user', 'content': '...'}"
        ) from None


def as_turn(turn: Mapping[str, str] | tuple[str, str]) -> tuple[str, str]:
    if isinstance(turn, Mapping):
        return turn["role"], turn["content"]
    role, content = turn
    return role, content
