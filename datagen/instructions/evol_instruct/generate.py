"""Evol-Instruct (arXiv 2304.12244, section 3.2): instructions rewritten round after round, each
going on by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from datagen.instructions.evol_instruct.eliminate import Eliminator
from datagen.prompts.templates import Templates
from datagen.run import FAILED
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id, user
from datagen.sources.instructions import Prompt, describe
from datagen.teacher import Completion, Request, Sampling, Teacher, TeacherError

METHOD = "evol-instruct"


@dataclass(frozen=True, kw_only=True)
class Evolution:
    """How instructions evolve; the same for all seeds of a run."""

    templates: Templates
    eliminator: Eliminator
    weights: Mapping[str, float]
    """Operations, each a template in `evolve/`, with how often each is drawn beside the others."""
    rounds: int
    keep_seeds: bool
    rewriting: Sampling
    answering: Sampling
    judging: Sampling


@dataclass(frozen=True)
class Step:
    """What one round does to one instruction."""

    parent: str
    """Id of the row, or of the seed, that is rewritten."""
    text: str
    """Its whole prompt."""
    operation: str
    round: int


async def evolve(seed: Prompt, teacher: Teacher, *, evolution: Evolution) -> list[Outcome]:
    """The rows of a seed, round by round.

    What is eliminated leaves its parent to the next round.
    """
    outcomes, parent, text = list[Outcome](), seed.id, seed.text
    try:
        if evolution.keep_seeds:
            outcomes.append(await original(seed, teacher, evolution))
            parent = outcomes[-1].row["id"]
        for number in range(1, evolution.rounds + 1):
            step = Step(parent, text, operation(seed, number, evolution), number)
            outcomes.append(outcome := await rewrite(seed, step, teacher, evolution))
            if isinstance(outcome, Accepted):
                parent, text = outcome.row["id"], outcome.row["instruction"]
    except TeacherError as error:
        outcomes.append(
            Rejected(failed(seed) | {"finish_reason": str(error), "detail": None}, FAILED)
        )
    return outcomes


async def rewrite(seed: Prompt, step: Step, teacher: Teacher, evolution: Evolution) -> Outcome:
    """One evolution, its response and its elimination, the free rules first."""
    judge = evolution.eliminator
    question = evolution.templates.messages(f"evolve/{step.operation}", instruction=step.text)
    written = await ask(
        teacher, Request(question, first=step.round - 1, sampling=evolution.rewriting)
    )
    reason, answer, part = judge.of_rewriting(step.text, written), None, "instruction"
    if not reason:
        answer, part = (
            await ask(teacher, Request((("user", written.text),), sampling=evolution.answering)),
            "response",
        )
        reason = judge.of_response(answer)
    if not reason:
        part = "judgement"
        reason = await judge.of_gain(step.text, written.text, teacher, evolution.judging)
    return outcome_of(evolved_row(seed, step, written, answer), reason, part)


async def original(seed: Prompt, teacher: Teacher, evolution: Evolution) -> Outcome:
    """The seed itself with the teacher's response: round 0."""
    answer = await ask(teacher, Request((("user", seed.text),), sampling=evolution.answering))
    row = (
        describe(seed, METHOD) | answered(answer) | {"operation": None, "round": 0, "root": seed.id}
    )
    row["id"] = content_id(METHOD, seed.id, 0, seed.text, answer.text)
    return outcome_of(row, evolution.eliminator.of_response(answer), "response")


def operation(seed: Prompt, number: int, evolution: Evolution) -> str:
    """The operation of a round, drawn by the seed's own stream."""
    names, weights = list(evolution.weights), list(evolution.weights.values())
    rng = Random(f"{evolution.rewriting.seed}:{METHOD}:{seed.id}:{number}")
    return rng.choices(names, weights)[0]


async def ask(teacher: Teacher, request: Request) -> Completion:
    """One sample, without the white space around it."""
    (found,) = await teacher.complete(request)
    return Completion(found.text.strip(), found.finish_reason)


def evolved_row(seed: Prompt, step: Step, written: Completion, answer: Completion | None) -> Row:
    """`finish_reason` is that of the last text the teacher wrote of the row."""
    row = {
        "id": content_id(
            METHOD, step.parent, step.round, step.operation, written.text, answer and answer.text
        ),
        "method": METHOD,
        "parents": [step.parent],
        "prompt": user(written.text),
        "instruction": written.text,
        "input": "",
        "operation": step.operation,
        "round": step.round,
        "root": seed.id,
    }
    return (
        row | answered(answer)
        if answer
        else row | {"completion": [], "finish_reason": written.finish_reason}
    )


def answered(answer: Completion) -> Row:
    return {
        "completion": assistant(answer.text),
        "output": answer.text,
        "finish_reason": answer.finish_reason,
    }


def outcome_of(row: Row, reason: str | None, part: str) -> Outcome:
    """`detail` names what the reason is about: the instruction, the response or the judgement."""
    return Rejected(row | {"detail": part}, reason) if reason else Accepted(row, "instructions")


def failed(seed: Prompt) -> Row:
    """The row of a seed whose request failed for good."""
    return describe(seed, METHOD) | {"id": content_id(METHOD, seed.id, "failed"), "root": seed.id}


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """Evolutions tried and kept, by round and by operation.

    A rejected row is told by its `detail`.
    """
    rounds: dict[str, dict[str, int]] = defaultdict(lambda: {"tried": 0, "kept": 0})
    operations: dict[str, dict[str, int]] = defaultdict(lambda: {"tried": 0, "kept": 0})
    for rows in items:
        for row in rows:
            kept = "detail" not in row
            for count, name in ((rounds, row.get("round")), (operations, row.get("operation"))):
                if name is not None:
                    count[str(name)]["tried"] += 1
                    count[str(name)]["kept"] += kept
    return {"rounds": dict(sorted(rounds.items())), "operations": dict(sorted(operations.items()))}
