"""The teacher seam: what every engine answers, and in which words it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

Messages: TypeAlias = tuple[tuple[str, str], ...]
"""Chat turns as (role, content) pairs: hashable, and JSON in one step."""


def transcript(prompt: str | Messages) -> str:
    """A prompt for people: chat turns with their roles, or the text as it is."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"[{role}] {content}" for role, content in prompt)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a completion is drawn."""

    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 1.0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    """The text ends before the first of these strings."""
    seed: int = 0
    """Sample i of a prompt depends on (seed, prompt, i) alone, where the engine allows it."""
    logprobs: bool = False
    """Whether the completion should carry its mean token log-probability."""
    schema: str = ""
    """JSON schema, as text, that the answer must follow. Endpoints alone know it, and not all of
    them."""


@dataclass(frozen=True)
class Request:
    """Samples `first` to `first + n - 1` of one prompt. Plain text is completed, messages are
    answered."""

    prompt: str | Messages
    n: int = 1
    first: int = 0
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class Completion:
    """One sampled answer. `finish_reason` is "stop" or "length" (cut off), or what the endpoint
    said."""

    text: str
    finish_reason: str = "stop"
    tokens: int = 0
    """Completion tokens."""
    prompt_tokens: int = 0
    """Prompt tokens billed for this sample: the prompt's count stands at sample 0 of a request, 0
    at the others."""
    cached_tokens: int = 0
    """How many of the prompt tokens the endpoint had in its cache, where it says so; they can cost
    less."""
    mean_logprob: float | None = None
    """Nats per token at temperature 1."""
    reasoning: str | None = None
    """What a reasoning model thought before its answer, where the endpoint keeps it apart."""


class TeacherError(Exception):
    """A request that failed for good. The message says why; the row is rejected, the run goes
    on."""


class Teacher(Protocol):
    """Who answers. Engines are safe to call from many asyncio tasks at once and batch or queue as
    they see fit."""

    name: str
    """As given to `connect`, for lineage: "openai:gpt-x", "hf:path", "micro"."""

    @property
    def identity(self) -> str:
        """What the journal keys answers by: name, endpoint, revision or weights hash."""

    async def check(self) -> None:
        """Ready to answer: model loaded, endpoint reached, model name known. Raises UserError."""
        ...

    async def complete(self, request: Request) -> list[Completion]:
        """The n samples, in order. Raises TeacherError."""
        ...

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        """Log-probability in nats of each token of the continuation. Raises UserError where the
        engine cannot."""
        ...

    async def close(self) -> None: ...
