"""What a teacher's log-probabilities say of demonstrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.demonstrations.pools import Example
from datagen.prompts.episodes import Format, Style
from datagen.teacher import Teacher, TeacherError
from datagen.teacher.scoring import Pair, score_many


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

    None for a set that does not fit the context. Raises TeacherError where none fits, if one is
    required."""
    found = await scores(
        [asking.pair(shown, query, query.output) for shown in sets], asking, required=required
    )
    return [None if logprobs is None else mean(logprobs) for logprobs in found]


async def informativeness(
    query: Example, candidates: Sequence[Example], asking: Asking
) -> list[float | None]:
    """Mean log-probability of the query's own tokens after each candidate alone, in nats (arXiv
    2401.12087, eq. 5).

    Plain text whatever the style: the query is no answer. None and TeacherError as in `likelihood`.
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
    context."""
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
    """Token log-probabilities of each pair, together; where one does not fit, each by itself, and
    None for that one."""
    try:
        return list(await score_many(asking.teacher, pairs))
    except TeacherError:
        found = [await alone(pair, asking.teacher) for pair in pairs]
    if required and all(logprobs is None for logprobs in found):
        await score_many(asking.teacher, pairs)  # raises, and says why
    return found


async def alone(pair: Pair, teacher: Teacher) -> list[float] | None:
    try:
        return (await score_many(teacher, [pair]))[0]
    except TeacherError:
        return None


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
