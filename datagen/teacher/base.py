"""The interface of a teacher: the requests that it takes and the answers that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from datagen.errors import ContextExceeded, Refused, TeacherError, Unavailable
from datagen.teacher.capabilities import Capabilities

__all__ = [
    "Capabilities",
    "Completion",
    "ContextExceeded",
    "Messages",
    "Pair",
    "Refused",
    "Request",
    "Sampling",
    "Teacher",
    "TeacherError",
    "Unavailable",
]

Messages: TypeAlias = tuple[tuple[str, str], ...]
"""Chat turns as (role, content) pairs. Tuples are hashable, and JSON writes them as lists."""

Pair: TypeAlias = tuple[str | Messages, str]
"""A prompt and the continuation to score."""


def transcript(prompt: str | Messages) -> str:
    """Return a prompt in a form for people: chat turns with their roles, or the text as it is."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"[{role}] {content}" for role, content in prompt)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a completion is drawn.

    Example:
        >>> Sampling(temperature=0, max_tokens=64).top_p
        1.0
    """

    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 1.0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    """The text ends before the first of these strings."""
    seed: int = 0
    """Sample i of a prompt depends on (seed, prompt, i) alone, if the engine allows it."""
    logprobs: bool = False
    """Whether the completion carries its mean token log-probability."""
    schema: str = ""
    """JSON schema, as text, that the answer must follow. Needs the capability `schema`."""


@dataclass(frozen=True)
class Request:
    """Samples `first` to `first + n - 1` of one prompt.

    A text is continued. Messages, as (role, content) pairs, are answered.

    Example:
        >>> Request((("user", "What is 3 plus 4?"),), n=4).first
        0
    """

    prompt: str | Messages
    n: int = 1
    first: int = 0
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class Completion:
    """One sampled answer.

    Example:
        >>> Completion("The answer is 7.", tokens=5).finish_reason
        'stop'
    """

    text: str
    """The answer. It is empty if the completion was cut off inside its reasoning."""
    finish_reason: str = "stop"
    """"stop", "length" (cut off at `max_tokens`), or another word that the endpoint uses."""
    tokens: int = 0
    """Completion tokens."""
    prompt_tokens: int = 0
    """Prompt tokens billed for this sample. Sample 0 of a request has the prompt's count, the
    others have 0."""
    cached_tokens: int = 0
    """How many prompt tokens the endpoint had in its cache, if it reports them. They can cost
    less."""
    mean_logprob: float | None = None
    """Nats per token at temperature 1."""
    reasoning: str = ""
    """What a model that reasons wrote before its answer. `text` does not hold it, but `tokens`
    counts it."""
    estimated: bool = False
    """Whether tokens are estimated from bytes, because the endpoint gave no possible count."""
    left_out: tuple[str, ...] = ()
    """Fields of the request that the endpoint does not take, so it was asked without them."""


class Teacher(Protocol):
    """A model that answers requests. It is safe to use from many asyncio tasks at once."""

    name: str
    """The spec as given to `connect`, such as "openai:gpt-x", "hf:path" or "micro"."""
    capabilities: Capabilities
    """What the engine can do besides completing prompts."""

    async def identify(self) -> str:
        """Return the name under which the journal stores answers.

        Loads no weights and asks no endpoint. It is the teacher's name with the endpoint's URL, a
        folder's fingerprint or a Hub commit.

        Raises:
            UserError: there is no such model.
        """
        ...

    async def open(self) -> None:
        """Make the teacher ready to answer. The second call does nothing.

        A local engine loads the model. An endpoint is reached, and the model is looked up there.

        Raises:
            UserError: the model cannot be opened, or the endpoint cannot be reached.
        """
        ...

    async def complete(self, request: Request) -> list[Completion]:
        """Return the n samples of a request, in order.

        Raises:
            TeacherError: This request failed for good. The subclass says how.
            UserError: No request can be answered.
        """
        ...

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Return the log-probability, in nats, of each token of the continuation given the prompt.

        Raises:
            UserError: The engine cannot score.
            TeacherError: This request failed for good.
        """
        ...

    async def score_many(self, pairs: Sequence[Pair]) -> list[list[float]]:
        """Return what `score` returns for each pair.

        An engine may compute a shared prefix once; the others use
        `datagen.teacher.scoring.score_each`.
        """
        ...

    async def close(self) -> None:
        """Stop the requests in flight, and release what `open` acquired."""
        ...
