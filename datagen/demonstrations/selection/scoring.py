"""What a teacher's log-probabilities say of demonstrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.demonstrations.pools import Example
from datagen.prompts.episodes import Format, Style
from datagen.teacher import ContextExceeded, Pair, Teacher


@dataclass(frozen=True)
class Asking:
    """A teacher and how it is asked: exactly as it will be for its prediction."""

    teacher: Teacher
    format: Format
    description: str = ""
    """The task's, where prompts begin with it."""
    options: tuple[str, ...] = ()
    """The task's labels."""
    style: Style = "chat"

    def pair(self, shown: Sequence[Example], query: Example, output: str) -> Pair:
        pairs = [(e.input, e.output) for e in shown]
        prompt = self.format.prompt(
            pairs, query.input, description=self.description, style=self.style
        )
        return prompt, self.format.target(output, style=self.style)


async def likelihood(
    query: Example, sets: Sequence[Sequence[Example]], asking: Asking, *, required: bool = True
) -> list[float | None]:
    """Mean log-probability of the gold's tokens after each ordered set, in nats (LLM-R, arXiv
    2307.07164, section 3.1).

    None for a set that does not fit the context. Raises ContextExceeded if none fits and one is
    required.
    """
    found = await scores(
        [asking.pair(shown, query, query.output) for shown in sets], asking, required=required
    )
    return [None if logprobs is None else mean(logprobs) for logprobs in found]


async def informativeness(
    query: Example, candidates: Sequence[Example], asking: Asking
) -> list[float | None]:
    """Mean log-probability of the query's own tokens after each candidate alone, in nats (arXiv
    2401.12087, eq. 5).

    Plain text whatever the style: the query is no answer. None and errors as in `likelihood`.
    """
    asked = asking.format.text([], query.input)
    before = [
        asking.format.text(
            [(e.input, e.output)], query.input, description=asking.description
        ).removesuffix(asked)
        for e in candidates
    ]
    found = await scores([(text, asked) for text in before], asking)
    return [None if logprobs is None else mean(logprobs) for logprobs in found]


async def codelength(query: Example, shown: Sequence[Example], asking: Asking) -> float | None:
    """Entropy in bits of the teacher's label distribution for the query (arXiv 2212.10375, section
    3.2), which is the expected length of the label's code. None for a set that does not fit the
    context.
    """
    found = await scores(
        [asking.pair(shown, query, option) for option in asking.options], asking, required=False
    )
    totals = [sum(logprobs) for logprobs in found if logprobs is not None]
    if len(totals) < len(asking.options):
        return None
    highest = max(totals)
    weights = [math.exp(total - highest) for total in totals]
    return -sum(w / sum(weights) * math.log2(w / sum(weights)) for w in weights if w)


async def scores(
    pairs: Sequence[Pair], asking: Asking, *, required: bool = True
) -> list[list[float] | None]:
    """Token log-probabilities of each pair.

    The pairs are scored together. If one does not fit the context, each is scored by itself, and
    that one gets None. Any other error is raised, so that an outage never changes a selection.

    Raises:
        ContextExceeded: No pair fits, and one is required.
        TeacherError: A pair could not be scored.
    """
    try:
        return list(await asking.teacher.score_many(pairs))
    except ContextExceeded:
        found = [await score_if_it_fits(pair, asking.teacher) for pair in pairs]
    if required and all(logprobs is None for logprobs in found):
        await asking.teacher.score_many(pairs)  # raises, and says why
    return found


async def score_if_it_fits(pair: Pair, teacher: Teacher) -> list[float] | None:
    """The pair's log-probabilities, or None if it exceeds the teacher's context."""
    try:
        [found] = await teacher.score_many([pair])
    except ContextExceeded:
        return None
    return found


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
