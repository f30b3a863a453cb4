"""Scores of demonstrations by a teacher's log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.demonstrations.pools import Example
from datagen.prompts.episodes import Format, Style
from datagen.teacher import ContextExceeded, Pair, Teacher


@dataclass(frozen=True)
class Asking:
    """A teacher, and how it is asked: exactly as for its prediction."""

    teacher: Teacher
    format: Format
    description: str = ""
    """Description of the task, if prompts begin with it."""
    options: tuple[str, ...] = ()
    """Labels of the task."""
    style: Style = "chat"

    def pair(self, demonstrations: Sequence[Example], query: Example, output: str) -> Pair:
        """Return the prompt of an episode, and an output of the query to be scored."""
        pairs = [(e.input, e.output) for e in demonstrations]
        prompt = self.format.prompt(
            pairs, query.input, description=self.description, style=self.style
        )
        return prompt, self.format.target(output, style=self.style)


async def likelihood(
    query: Example, sets: Sequence[Sequence[Example]], asking: Asking, *, required: bool = True
) -> list[float | None]:
    """Return the mean log-probability of the gold's tokens after each ordered set, in nats.

    Args:
        query: with its gold answer.
        sets: demonstrations in the order to show them.
        asking: the teacher.
        required: whether at least one set must fit.

    Returns:
        None for a set that does not fit the context.

    Raises:
        ContextExceeded: no set fits, and one is required.

    Source:
        LLM-R, arXiv 2307.07164, section 3.1.
    """
    pairs = [asking.pair(demonstrations, query, query.output) for demonstrations in sets]
    found = await scores(pairs, asking, required=required)
    return [None if logprobs is None else mean(logprobs) for logprobs in found]


async def informativeness(
    query: Example, candidates: Sequence[Example], asking: Asking
) -> list[float | None]:
    """Return the mean log-probability of the query's own tokens after each candidate, in nats.

    The text is plain whatever the style: the query is no answer of an assistant.

    Args:
        query: its gold answer is not read.
        candidates: each is shown alone.
        asking: the teacher.

    Returns:
        None for a candidate that does not fit the context.

    Raises:
        ContextExceeded: no candidate fits.

    Source:
        ConE, arXiv 2401.12087, equation 5.
    """
    asked = asking.format.text([], query.input)
    texts = [
        asking.format.text([(e.input, e.output)], query.input, description=asking.description)
        for e in candidates
    ]
    found = await scores([(text.removesuffix(asked), asked) for text in texts], asking)
    return [None if logprobs is None else mean(logprobs) for logprobs in found]


async def codelength(
    query: Example, demonstrations: Sequence[Example], asking: Asking
) -> float | None:
    """Return the entropy of the teacher's label distribution for the query, in bits.

    It is the expected length of the label's code. The gold answer is not read.

    Returns:
        None if the demonstrations do not fit the context.

    Source:
        MDL, arXiv 2212.10375, section 3.2.
    """
    pairs = [asking.pair(demonstrations, query, option) for option in asking.options]
    found = await scores(pairs, asking, required=False)
    totals = [sum(logprobs) for logprobs in found if logprobs is not None]
    # an entropy over some of the labels would look too sure
    if len(totals) < len(asking.options):
        return None

    # relative to the highest, so that the exponentials do not all become 0
    highest = max(totals)
    weights = [math.exp(total - highest) for total in totals]
    shares = [weight / sum(weights) for weight in weights]
    return -sum(share * math.log2(share) for share in shares if share)


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
    """Return the mean; 0 for an output without tokens."""
    return sum(values) / len(values) if values else 0.0
