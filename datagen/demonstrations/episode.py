"""An episode before and after the teacher is asked: demonstrations, a query, a prediction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeAlias

from datagen.demonstrations.pools import Example, Pool, Query
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.prompts.episodes import Format
from datagen.teacher import Completion, Teacher

if TYPE_CHECKING:
    from datagen.demonstrations.selection.chosen import Selection  # takes numpy with it


class DoesNotFit(Exception):
    """The query does not fit the context even with one demonstration."""


class Choose(Protocol):
    """Chooses demonstrations for a query."""

    def __call__(
        self, query: Query, k: int, teacher: Teacher, *, strategy: str, stream: str
    ) -> Awaitable[Selection]:
        """Return k demonstrations in the order to show them, and the scores of candidates.

        Args:
            query: what is asked.
            k: how many demonstrations to choose.
            teacher: some strategies ask it for scores.
            strategy: by name.
            stream: name of the random stream.
        """


Grow: TypeAlias = Callable[[Pool, Teacher, "Plan"], Awaitable[Pool]]
"""From a pool to the same pool with demonstrations that the teacher wrote."""


@dataclass(frozen=True)
class Plan:
    """What all episodes of a run share."""

    settings: DemonstrationSettings
    format: Format
    choose: Choose
    count: Callable[[str], int]
    """From a text to its number of tokens."""
    grow: Grow


@dataclass(frozen=True)
class Episode:
    """What is asked. With `--labels` its labels are other words than those of the pool."""

    demonstrations: tuple[Example, ...]
    target: str
    """The gold answer to the query."""


@dataclass(frozen=True)
class Answer:
    """What the teacher predicts."""

    prediction: str | None
    """None if the answer cannot be read."""
    finish_reason: str
    episode: Episode
    """The episode with the demonstrations that the teacher saw. Some may not have fitted."""
    tied: bool = False
    """Whether a vote on the prediction ended in a tie."""
    completion: Completion | None = None
    """What the teacher wrote; None if it was not asked."""


def relabel(
    query: Query, places: Sequence[int], settings: DemonstrationSettings, stream: str
) -> Episode:
    """Return the episode of chosen candidates, with other labels if `--labels` asks for them.

    Args:
        query: what is asked.
        places: of the demonstrations in the pool.
        settings: `labels` is natural, symbolic (arbitrary words) or flipped (exchanged).
        stream: name of the random stream.

    Source:
        Symbolic labels: arXiv 2305.08298. Flipped labels: arXiv 2303.03846.
    """
    demonstrations = tuple(query.pool.candidates[place] for place in places)
    options = query.pool.options
    # without demonstrations nobody could know what the new words mean
    if not demonstrations or settings.labels == "natural" or len(options) < 2:
        return Episode(demonstrations, query.example.output)

    rng = Random(f"{settings.seed}:labels:{query.example.id}:{stream}")
    new = dict(zip(options, other_labels(options, settings.labels, rng), strict=True))
    renamed = tuple(replace(e, output=new.get(e.output, e.output)) for e in demonstrations)
    return Episode(renamed, new.get(query.example.output, query.example.output))


def other_labels(options: Sequence[str], labels: str, rng: Random) -> list[str]:
    """Return a new label for each option.

    Flipped labels are the options in another order, so that none keeps its meaning.
    """
    from datagen.microworld.words import LABELS

    # drawn whatever the labels: the random stream stays the same
    shift = rng.randrange(1, len(options))
    if labels == "flipped":
        return [*options[shift:], *options[:shift]]
    return rng.sample([word for word in LABELS if word not in options], len(options))


def teacher_text(query: Query, demonstrations: Sequence[Example], plan: Plan) -> str:
    """Return the text that the teacher is asked."""
    description = query.pool.description if plan.settings.describe == "always" else ""
    pairs = [(e.input, e.output) for e in demonstrations]
    return plan.format.text(pairs, query.example.input, description=description)


def student_text(query: Query, demonstrations: Sequence[Example], plan: Plan) -> str:
    """Return the text that the student is asked.

    In context distillation the student sees no demonstrations, only the task's description.
    """
    if plan.settings.kind != "context-distillation":
        return teacher_text(query, demonstrations, plan)
    description = "" if plan.settings.describe == "never" else query.pool.description
    return plan.format.text([], query.example.input, description=description)
