"""One query to its episodes: choose demonstrations, render, ask the teacher, judge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Protocol

from datagen.answers import vote
from datagen.answers.matching import matches
from datagen.demonstrations.pools import Example, Pool, Query
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.prompts.episodes import Format
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id, user
from datagen.teacher import Completion, ContextExceeded, Request, Sampling, Teacher

if TYPE_CHECKING:
    from datagen.demonstrations.selection.chosen import Selection  # takes numpy with it

METHOD = "demonstrations"


@dataclass(frozen=True)
class Shown:
    """An episode before it is asked; labels may be other words than in the pool."""

    demonstrations: tuple[Example, ...]
    target: str


@dataclass(frozen=True)
class Answer:
    """What the teacher says, and of how many demonstrations it saw."""

    prediction: str | None
    finish_reason: str
    shown: Shown
    tied: bool = False


class Choose(Protocol):
    """Chooses demonstrations for a query: the seam that every strategy fits."""

    def __call__(
        self, query: Query, k: int, teacher: Teacher, *, strategy: str, stream: str
    ) -> Awaitable[Selection]:
        """K demonstrations in the order shown, and the scores of the candidates that were
        considered.
        """


Grow = Callable[[Pool, Teacher, "Plan"], Awaitable[Pool]]
"""(pool, teacher, plan) to the pool with the demonstrations that the teacher wrote."""


class DoesNotFit(Exception):
    """The query does not fit with one demonstration."""


@dataclass(frozen=True)
class Plan:
    """What all episodes of a run share."""

    settings: DemonstrationSettings
    format: Format
    choose: Choose
    count: Callable[[str], int]
    """Tokens of a text."""
    grow: Grow


async def distil(query: Query, teacher: Teacher, *, plan: Plan) -> list[Outcome]:
    """The episodes of a query, accepted and rejected."""
    ks = plan.settings.ks
    query = replace(query, pool=await plan.grow(query.pool, teacher, plan))
    return [
        await episode(query, teacher, ks[(query.number + number) % len(ks)], number, plan=plan)
        for number in range(plan.settings.episodes)
    ]


async def episode(query: Query, teacher: Teacher, k: int, number: int, *, plan: Plan) -> Outcome:
    """Choose, show, ask, judge (arXiv 2212.10670, section 3; 2209.15189, section 3)."""
    settings, stream = plan.settings, f"{number}"
    try:
        chosen = await choose(query, k, teacher, settings.strategy, stream, plan=plan)
        shown = relabel(query, chosen.indices, settings, stream)
        answer = await ask(query, teacher, shown, plan=plan)
        if settings.kind == "multitask-ict":
            answer = await ballot(query, teacher, answer, k, stream, plan=plan)
    except DoesNotFit as error:
        unasked = Answer(None, str(error), Shown((), query.example.output))
        return Rejected(row(query, unasked, {}, number, plan) | {"correct": None}, "does_not_fit")
    made = row(query, answer, chosen.scores, number, plan)
    reason = judge(answer, made, settings)
    return Rejected(made, reason) if reason else Accepted(made, "demonstrations")


async def choose(
    query: Query, k: int, teacher: Teacher, strategy: str, stream: str, *, plan: Plan
) -> Selection:
    try:
        return await plan.choose(query, k, teacher, strategy=strategy, stream=stream)
    except ContextExceeded as error:
        raise DoesNotFit(f"with any 1 demonstration: {error}") from None


async def ask(query: Query, teacher: Teacher, shown: Shown, *, plan: Plan) -> Answer:
    """The greedy prediction, with as many of the demonstrations as fit; those nearest to the query
    stay.
    """
    demonstrations = shown.demonstrations
    least = min(1, len(demonstrations))
    while True:
        text = teacher_text(query, demonstrations, plan)
        try:
            check_length(text, plan)
            completion = await greedy(text, teacher, plan)
            return Answer(
                plan.format.read(completion.text),
                completion.finish_reason,
                replace(shown, demonstrations=demonstrations),
            )
        except ContextExceeded as error:
            if len(demonstrations) <= least:
                raise DoesNotFit(f"with {least} demonstrations: {error}") from None
            demonstrations = demonstrations[1:]


async def greedy(text: str, teacher: Teacher, plan: Plan) -> Completion:
    style = plan.settings.prompt_style
    sampling = Sampling(
        temperature=0, max_tokens=plan.settings.max_tokens, stop=plan.format.stop(style=style)
    )
    prompt = text if style == "plain" else (("user", text),)
    return (await teacher.complete(Request(prompt, sampling=sampling)))[0]


def check_length(text: str, plan: Plan) -> None:
    """Raises ContextExceeded for a prompt with more tokens than --prompt_tokens allows."""
    limit = plan.settings.prompt_tokens
    if limit is not None and (tokens := plan.count(text)) > limit:
        raise ContextExceeded(
            f"the prompt has about {tokens} tokens, beyond --prompt_tokens {limit}"
        )


async def ballot(
    query: Query, teacher: Teacher, first: Answer, k: int, stream: str, *, plan: Plan
) -> Answer:
    """The majority over the strategy's own subset and random ones of the same size
    (Multitask-ICT).
    """
    answers = [first]
    for number in range(1, plan.settings.votes):
        chosen = await choose(query, k, teacher, "random", f"{stream}:vote:{number}", plan=plan)
        answers.append(
            await ask(
                query, teacher, relabel(query, chosen.indices, plan.settings, stream), plan=plan
            )
        )
    found = vote([answer.prediction for answer in answers])
    return replace(first, prediction=found.answer, tied=found.tied)


def relabel(
    query: Query, places: Sequence[int], settings: DemonstrationSettings, stream: str
) -> Shown:
    """The demonstrations and the gold; labels replaced by arbitrary words, or exchanged so that
    none stays.
    """
    from datagen.microworld.words import LABELS

    demonstrations = tuple(query.pool.candidates[place] for place in places)
    options, rng = query.pool.options, Random(f"{settings.seed}:labels:{query.example.id}:{stream}")
    if not demonstrations or settings.labels == "natural" or len(options) < 2:
        return Shown(demonstrations, query.example.output)
    by = rng.randrange(1, len(options))
    symbols = [word for word in LABELS if word not in options]
    others = (
        rng.sample(symbols, len(options))
        if settings.labels == "symbolic"
        else [*options[by:], *options[:by]]
    )
    word = dict(zip(options, others, strict=True))
    renamed = tuple(replace(e, output=word.get(e.output, e.output)) for e in demonstrations)
    return Shown(renamed, word.get(query.example.output, query.example.output))


def teacher_text(query: Query, demonstrations: Sequence[Example], plan: Plan) -> str:
    description = query.pool.description if plan.settings.describe == "always" else ""
    return plan.format.text(
        [(e.input, e.output) for e in demonstrations], query.example.input, description=description
    )


def student_text(query: Query, demonstrations: Sequence[Example], plan: Plan) -> str:
    """What the row's prompt says.

    A context-distilled student sees the query, under the task's description.
    """
    if plan.settings.kind != "context-distillation":
        return teacher_text(query, demonstrations, plan)
    description = "" if plan.settings.describe == "never" else query.pool.description
    return plan.format.text([], query.example.input, description=description)


def judge(answer: Answer, made: Row, settings: DemonstrationSettings) -> str | None:
    """The reason why an episode is left out, or None. The gold of meta-ict needs no prediction."""
    if settings.kind == "meta-ict":
        return None
    if answer.prediction is None:
        return "unanswered"
    if answer.tied:
        return "tied"
    if answer.finish_reason == "length":
        return "truncated"
    return "wrong" if settings.keep_by == "gold" and not made["correct"] else None


def row(query: Query, answer: Answer, scored: dict[int, float], number: int, plan: Plan) -> Row:
    settings, shown, pool = plan.settings, answer.shown, query.pool
    completion = shown.target if settings.kind == "meta-ict" else answer.prediction
    ids = [e.id for e in shown.demonstrations]
    scores = {pool.candidates[place].id: round(score, 6) for place, score in scored.items()}
    prompt = student_text(query, shown.demonstrations, plan)
    return describe(query, plan=plan) | {
        "id": content_id(
            METHOD,
            settings.kind,
            settings.strategy,
            query.example.id,
            number,
            ids,
            prompt,
            completion,
        ),
        "parents": [query.example.id, *ids],
        "prompt": user(prompt),
        "teacher_prompt": user(teacher_text(query, shown.demonstrations, plan)),
        "completion": [] if completion is None else assistant(plan.format.target(completion)),
        "k": len(ids),
        "demonstrations": [
            {"id": e.id, "input": e.input, "output": e.output, "score": scores.get(e.id)}
            for e in shown.demonstrations
        ],
        "target": shown.target,
        "prediction": answer.prediction,
        "correct": matches(answer.prediction, shown.target),
        "candidates": [{"id": id, "score": score} for id, score in scores.items()],
        "generated": any(e.generated for e in shown.demonstrations),
        "finish_reason": answer.finish_reason,
    }


def describe(query: Query, *, plan: Plan) -> Row:
    """The columns that a query gives to all its rows."""
    return {
        "id": content_id(METHOD, plan.settings.kind, query.example.id),
        "method": METHOD,
        "parents": [query.example.id],
        "prompt": user(student_text(query, (), plan)),
        "completion": [],
        "task": query.pool.task,
        "family": query.pool.family,
        "kind": plan.settings.kind,
        "strategy": plan.settings.strategy,
        "format": plan.format.name,
        "query": query.example.input,
        "target": query.example.output,
    }
