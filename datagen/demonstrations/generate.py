"""Demonstrations: for each query choose demonstrations, ask the teacher, and keep the episode.

Source: Meta-ICT and Multitask-ICT, arXiv 2212.10670, section 3; context distillation, arXiv
2209.15189, section 3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from datagen.answers import vote
from datagen.demonstrations.episode import Answer, DoesNotFit, Episode, Plan, relabel, teacher_text
from datagen.demonstrations.pools import Query
from datagen.demonstrations.rows import row_of
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.schema import Accepted, Outcome, Rejected, Row
from datagen.teacher import Completion, ContextExceeded, Request, Sampling, Teacher
from datagen.teacher.chat.kept import cut_column

if TYPE_CHECKING:
    from datagen.demonstrations.selection.chosen import Selection  # takes numpy with it


async def distil(query: Query, teacher: Teacher, *, plan: Plan) -> list[Outcome]:
    """Return the episodes of a query, accepted and rejected."""
    query = replace(query, pool=await plan.grow(query.pool, teacher, plan))
    # the numbers of demonstrations take turns, so that each comes equally often
    ks = plan.settings.ks
    return [
        await episode(query, teacher, ks[(query.number + number) % len(ks)], number, plan=plan)
        for number in range(plan.settings.episodes)
    ]


async def episode(query: Query, teacher: Teacher, k: int, number: int, *, plan: Plan) -> Outcome:
    """Return one episode: choose demonstrations, ask the teacher, accept or reject."""
    settings = plan.settings
    stream = str(number)
    try:
        chosen = await choose(query, k, teacher, settings.strategy, stream, plan=plan)
        asked = relabel(query, chosen.indices, settings, stream)
        answer = await ask(query, teacher, asked, plan=plan)
        if settings.kind == "multitask-ict":
            answer = await majority(query, teacher, answer, k, stream, plan=plan)
    except DoesNotFit as error:
        unasked = Answer(None, str(error), Episode((), query.example.output))
        row = row_of(query, unasked, {}, number, plan)
        return Rejected(row | {"correct": None}, "does_not_fit")

    row = row_of(query, answer, chosen.scores, number, plan)
    reason = reason_to_reject(answer, row, settings)
    return Rejected(row, reason) if reason else Accepted(row, "demonstrations")


async def choose(
    query: Query, k: int, teacher: Teacher, strategy: str, stream: str, *, plan: Plan
) -> Selection:
    """Return the demonstrations that a strategy chooses. Raises DoesNotFit."""
    try:
        return await plan.choose(query, k, teacher, strategy=strategy, stream=stream)
    except ContextExceeded as error:
        raise DoesNotFit(f"with any 1 demonstration: {error}") from None


async def ask(query: Query, teacher: Teacher, asked: Episode, *, plan: Plan) -> Answer:
    """Return the teacher's greedy prediction.

    If the prompt is too long, the demonstrations farthest from the query are left out, one by one.

    Raises:
        DoesNotFit: the query does not fit even with one demonstration.
        TeacherError: the request failed.
    """
    demonstrations = asked.demonstrations
    least = min(1, len(demonstrations))
    while True:
        text = teacher_text(query, demonstrations, plan)
        try:
            check_length(text, plan)
            completion = await greedy(text, teacher, plan)
        except ContextExceeded as error:
            if len(demonstrations) <= least:
                raise DoesNotFit(f"with {least} demonstrations: {error}") from None
            demonstrations = demonstrations[1:]
            continue

        prediction = plan.format.read(completion.text)
        seen = replace(asked, demonstrations=demonstrations)
        return Answer(prediction, completion.finish_reason, seen, completion=completion)


def check_length(text: str, plan: Plan) -> None:
    """Raise ContextExceeded for a prompt with more tokens than --prompt_tokens allows."""
    limit = plan.settings.prompt_tokens
    if limit is not None and (tokens := plan.count(text)) > limit:
        raise ContextExceeded(
            f"the prompt has about {tokens} tokens, beyond --prompt_tokens {limit}"
        )


async def greedy(text: str, teacher: Teacher, plan: Plan) -> Completion:
    """Return the teacher's most probable completion."""
    style = plan.settings.prompt_style
    sampling = Sampling(
        temperature=0, max_tokens=plan.settings.max_tokens, stop=plan.format.stop(style=style)
    )
    prompt = text if style == "plain" else (("user", text),)
    (completion,) = await teacher.complete(Request(prompt, sampling=sampling))
    return completion


async def majority(
    query: Query, teacher: Teacher, first: Answer, k: int, stream: str, *, plan: Plan
) -> Answer:
    """Return the first answer with the most frequent prediction of several subsets.

    The first subset is the strategy's own. The others are random ones of the same size.

    Source:
        Multitask-ICT, arXiv 2212.10670, section 3.
    """
    answers = [first]
    for number in range(1, plan.settings.votes):
        chosen = await choose(query, k, teacher, "random", f"{stream}:vote:{number}", plan=plan)
        # the labels are those of the first subset: the votes must name the same words
        asked = relabel(query, chosen.indices, plan.settings, stream)
        answers.append(await ask(query, teacher, asked, plan=plan))
    found = vote([answer.prediction for answer in answers])
    # the reasoning of an answer that lost the vote would argue for another prediction
    winner = next((answer for answer in answers if answer.prediction == found.answer), first)
    return replace(first, prediction=found.answer, tied=found.tied, completion=winner.completion)


def reason_to_reject(answer: Answer, row: Row, settings: DemonstrationSettings) -> str | None:
    """Return the reason to reject an episode, or None."""
    # meta-ict learns from the gold answer, whatever the teacher predicts
    if settings.kind == "meta-ict":
        return None
    if answer.prediction is None:
        cut = answer.completion is not None and cut_column(answer.completion)
        return "truncated" if cut else "unanswered"
    if answer.tied:
        return "tied"
    if answer.finish_reason == "length":
        return "truncated"
    return "wrong" if settings.keep_by == "gold" and not row["correct"] else None
