"""What a run would ask and cost, without asking anything: `--dry-run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from datagen.teacher.base import Request, transcript
from datagen.teacher.cost.budget import BYTES_A_TOKEN, amount, estimated_tokens
from datagen.teacher.settings import TeacherSettings

Bound = Literal["", "at most ", "at least "]
FIRST = 3
"""Prompts that a forecast shows: enough to see the form, few enough for one screen."""


@dataclass(frozen=True)
class Forecast:
    """The first prompts of a run, and its requests, tokens and cost.

    Example:
        >>> import datagen
        >>> found = datagen.forecast("rationales", source="microworld", limit=2, samples=3)
        >>> found.requests, found.answers, found.cost
        (2.0, 6.0, 0.0)
    """

    what: str
    """The run in one line."""
    prompts: tuple[str, ...]
    """The first prompts, as the teacher would see them."""
    requests: float
    answers: float
    """Completions: a request can ask for several."""
    prompt_tokens: float
    """Estimated from the bytes of the prompts."""
    completion_tokens: float
    """If every completion took all of `max_tokens`."""
    cost: float | None
    """In `currency`, under the same assumption. None where the price is unknown."""
    currency: str | None
    bound: Bound = ""
    """Whether the answers decide how many requests there are."""
    notes: tuple[str, ...] = ()
    """What the figures leave out."""

    def lines(self) -> list[str]:
        """Requests, tokens and cost, a line each."""
        cost = "unknown (see --prices)"
        if self.cost is not None and self.currency:
            cost = amount(self.cost, self.currency) + " then"
        return [
            f"requests:  {self.bound}{self.requests:,.0f}, for {self.answers:,.0f} answers",
            f"tokens:    about {self.prompt_tokens:,.0f} of prompts (one per {BYTES_A_TOKEN} "
            "bytes), "
            f"and {self.completion_tokens:,.0f} of answers if each takes all of --max_tokens",
            f"cost:      {cost}",
        ]

    def __str__(self) -> str:
        shown = [f"---\n{prompt}" for prompt in self.prompts]
        return "\n".join(
            [*shown, "---", f"{self.what}; nothing was asked.", *self.lines(), *self.notes]
        )


def forecast_of(
    requests: Sequence[Request],
    what: str,
    settings: TeacherSettings,
    *,
    first: int = FIRST,
    calls: int | None = None,
    bound: Bound = "",
    notes: Sequence[str] = (),
) -> Forecast:
    """The forecast of these requests.

    Args:
        requests: those that are known beforehand.
        what: the run in one line.
        settings: whose teacher's price counts.
        first: how many prompts are shown.
        calls: how many requests there would be, where not each is known yet. The unknown ones
            count as long as the known ones.
        bound: for a method whose answers decide how many requests there are.
        notes: lines that say what the figures leave out.

    Raises:
        UserError: the price file or the budget cannot be read.
    """
    times = (len(requests) if calls is None else calls) / max(len(requests), 1)
    prompts = sum(estimated_tokens(request.prompt) for request in requests) * times
    longest = sum(request.n * request.sampling.max_tokens for request in requests) * times
    price = settings.account().price
    cost = price.of(prompt_tokens=prompts, completion_tokens=longest) if price else None
    return Forecast(
        what=what,
        prompts=tuple(transcript(request.prompt) for request in requests[:first]),
        requests=len(requests) * times,
        answers=sum(request.n for request in requests) * times,
        prompt_tokens=prompts,
        completion_tokens=longest,
        cost=cost,
        currency=price.currency if price else None,
        bound=bound,
        notes=tuple(notes),
    )
