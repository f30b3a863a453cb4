"""The forecast of `--dry-run`: what a run would ask and cost. Nothing is asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from datagen.teacher.base import Request, transcript
from datagen.teacher.cost.budget import BYTES_A_TOKEN, estimated_tokens, format_amount
from datagen.teacher.settings import TeacherSettings

Bound = Literal["", "at most ", "at least "]
SHOWN_PROMPTS = 3
"""Prompts that a forecast shows. That is enough to see their form, and fits one screen."""


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
        """Return three lines: the requests, the tokens and the cost."""
        cost = "unknown (see --prices)"
        if self.cost is not None and self.currency:
            cost = format_amount(self.cost, self.currency) + " then"
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
    first: int = SHOWN_PROMPTS,
    calls: int | None = None,
    bound: Bound = "",
    notes: Sequence[str] = (),
) -> Forecast:
    """Return the forecast for these requests.

    Args:
        requests: the requests that are known before the run.
        what: the run in one line.
        settings: the settings with the teacher and its prices.
        first: how many prompts to show.
        calls: the number of requests, if not all are known yet. The unknown ones count as being as
            long as the known ones.
        bound: for a method whose answers decide how many requests there are.
        notes: lines that say what the figures leave out.

    Raises:
        UserError: the price file or the budget cannot be read.
    """
    # requests that are not known yet count as long as the mean of the known ones
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
