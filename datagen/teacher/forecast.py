"""`--dry-run`: the first prompts, and what a run would ask for and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from datagen.teacher.base import Messages, Request
from datagen.teacher.budget import BYTES_A_TOKEN, amount, estimated_tokens
from datagen.teacher.settings import TeacherSettings

Bound = Literal["", "at most ", "at least "]


def preview(
    requests: Sequence[Request],
    what: str,
    settings: TeacherSettings,
    *,
    first: int = 3,
    calls: int | None = None,
    bound: Bound = "",
) -> None:
    """Print the first requests as the teacher would see them, and the forecast.

    `calls`: how many requests there would be, where not each is known yet; they count as long as
    those that are. `bound`: for a method whose answers decide how many there are."""
    for request in requests[:first]:
        print("---\n" + shown(request.prompt))
    print("---")
    print(
        "\n".join(
            [f"{what}; nothing was asked.", *forecast(requests, settings, calls=calls, bound=bound)]
        )
    )


def forecast(
    requests: Sequence[Request],
    settings: TeacherSettings,
    *,
    calls: int | None = None,
    bound: Bound = "",
) -> list[str]:
    """Requests, tokens and cost, a line each. Nobody knows the answers: each counts with all of its
    --max_tokens."""
    times = (len(requests) if calls is None else calls) / max(len(requests), 1)
    answers = sum(request.n for request in requests) * times
    prompts = sum(estimated_tokens(request.prompt) for request in requests) * times
    longest = sum(request.n * request.sampling.max_tokens for request in requests) * times
    price, cost = settings.account().price, "unknown (see --prices)"
    if price:
        cost = (
            amount(price.of(prompt_tokens=prompts, completion_tokens=longest), price.currency)
            + " then"
        )
    return [
        f"requests:  {bound}{len(requests) * times:,.0f}, for {answers:,.0f} answers",
        f"tokens:    about {prompts:,.0f} of prompts (one per {BYTES_A_TOKEN} bytes), and {longest:,.0f} of answers if "
        "each takes all of --max_tokens",
        f"cost:      {cost}",
    ]


def shown(prompt: str | Messages) -> str:
    return (
        prompt
        if isinstance(prompt, str)
        else "\n".join(f"[{role}] {content}" for role, content in prompt)
    )
