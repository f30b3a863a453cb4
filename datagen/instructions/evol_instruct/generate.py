"""Evol-Instruct: instructions are rewritten round after round into harder and rarer ones.

Each round rewrites an instruction by an operation, asks for a response, and eliminates what failed.
Every seed evolves by itself.

Source: Evol-Instruct, arXiv 2304.12244, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from datagen.instructions.evol_instruct.eliminate import Eliminator
from datagen.instructions.evol_instruct.rows import (
    METHOD,
    Step,
    evolved_row,
    failed_row,
    outcome_of,
    seed_row,
)
from datagen.prompts.templates import Templates
from datagen.run import FAILED
from datagen.schema import Accepted, Outcome, Rejected
from datagen.sources.instructions import Prompt
from datagen.teacher import Completion, Request, Sampling, Teacher, TeacherError
from datagen.teacher.chat.kept import Kept


@dataclass(frozen=True, kw_only=True)
class Evolution:
    """How instructions evolve: the same for all seeds of a run."""

    templates: Templates
    eliminator: Eliminator
    weights: Mapping[str, float]
    """How often each operation (a template in `evolve/`) is drawn, relative to the others."""
    rounds: int
    keep_seeds: bool
    """Whether a seed is a row itself, of round 0."""
    rewriting: Sampling
    answering: Sampling
    judging: Sampling
    kept: Kept = "separate"
    """What a row holds of the reasoning before a response."""


async def evolve(seed: Prompt, teacher: Teacher, *, evolution: Evolution) -> list[Outcome]:
    """Return the rows of a seed, round by round.

    If an evolution is eliminated, the next round rewrites its parent again.
    """
    outcomes: list[Outcome] = []
    parent = seed.id
    text = seed.text
    try:
        if evolution.keep_seeds:
            outcomes.append(await answer_seed(seed, teacher, evolution))
            parent = outcomes[-1].row["id"]

        for number in range(1, evolution.rounds + 1):
            step = Step(parent, text, draw_operation(seed, number, evolution), number)
            outcome = await rewrite(seed, step, teacher, evolution)
            outcomes.append(outcome)
            if isinstance(outcome, Accepted):
                parent = outcome.row["id"]
                text = outcome.row["instruction"]
    except TeacherError as error:
        # the rounds before it stay; the same command asks for the rest again
        row = failed_row(seed) | {"finish_reason": str(error), "detail": None}
        outcomes.append(Rejected(row, FAILED))
    return outcomes


async def rewrite(seed: Prompt, step: Step, teacher: Teacher, evolution: Evolution) -> Outcome:
    """Return one evolution: the instruction, its response, and what elimination says of them."""
    eliminator = evolution.eliminator

    # a parent that is tried again gets another sample of the same prompt
    question = evolution.templates.messages(f"evolve/{step.operation}", instruction=step.text)
    request = Request(question, first=step.round - 1, sampling=evolution.rewriting)
    written = await ask(teacher, request)
    if reason := eliminator.of_rewriting(step.text, written):
        row = evolved_row(seed, step, written, None, kept=evolution.kept)
        return outcome_of(row, reason, "instruction")

    answer = await respond(seed, written.text, teacher, evolution)
    row = evolved_row(seed, step, written, answer, kept=evolution.kept)
    if reason := eliminator.of_response(answer):
        return outcome_of(row, reason, "response")

    reason = await eliminator.of_gain(step.text, written.text, teacher, evolution.judging)
    return outcome_of(row, reason, "judgement")


async def answer_seed(seed: Prompt, teacher: Teacher, evolution: Evolution) -> Outcome:
    """Return the row of the seed itself, with the teacher's response."""
    answer = await respond(seed, seed.text, teacher, evolution)
    row = seed_row(seed, answer, kept=evolution.kept)
    return outcome_of(row, evolution.eliminator.of_response(answer), "response")


def draw_operation(seed: Prompt, number: int, evolution: Evolution) -> str:
    """Return the operation of a round.

    Every seed has a random stream of its own, so the order in which seeds evolve changes nothing.
    """
    rng = Random(f"{evolution.rewriting.seed}:{METHOD}:{seed.id}:{number}")
    return rng.choices(list(evolution.weights), list(evolution.weights.values()))[0]


async def respond(seed: Prompt, text: str, teacher: Teacher, evolution: Evolution) -> Completion:
    """Return the teacher's response to an instruction, under the system prompt of its seed."""
    asked = (*seed.context, ("user", text))
    return await ask(teacher, Request(asked, sampling=evolution.answering))


async def ask(teacher: Teacher, request: Request) -> Completion:
    """Return one sample, without the white space around it."""
    (found,) = await teacher.complete(request)
    return replace(found, text=found.text.strip())
