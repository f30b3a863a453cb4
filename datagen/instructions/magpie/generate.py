"""Magpie: an aligned model writes instructions by itself.

It is given only what its chat template puts before a user's words. It goes on with such words, and
then it answers them.

Source: Magpie, arXiv 2406.08464, section 2.1.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from datagen.filters.responses import Responses
from datagen.filters.text import plain, unfinished
from datagen.instructions.overlap import overlap
from datagen.run import FAILED
from datagen.schema import Accepted, Outcome, Rejected, Row, content_id, user
from datagen.teacher import Completion, Request, Sampling, Teacher, TeacherError
from datagen.teacher.chat.kept import Kept, kept_completion

METHOD = "magpie"


@dataclass(frozen=True, kw_only=True)
class Magpie:
    """What to synthesise, and how."""

    before: str
    """The pre-query template: what stands before the user's words."""
    target: int
    """Rows to keep."""
    patience: int
    """Rejected instructions in a row after which the run ends."""
    ahead: int
    """Instructions under way at once."""
    asking: Sampling
    answering: Sampling
    checks: Responses
    kept: Kept = "separate"
    """What a row holds of the reasoning before a response."""


async def synthesise(teacher: Teacher, *, magpie: Magpie) -> AsyncGenerator[list[Outcome]]:
    """Yield one row after another, in the order of the samples, until enough are kept."""
    seen: set[str] = set()
    kept = 0
    fruitless = 0
    work = partial(synthesise_one, teacher=teacher, magpie=magpie)
    async with aclosing(overlap(indices(), work, most=magpie.ahead)) as outcomes:
        async for outcome in outcomes:
            # a failed sample has no instruction
            instruction = plain(outcome.row.get("instruction", ""))
            if isinstance(outcome, Accepted) and instruction in seen:
                outcome = Rejected(outcome.row, "duplicate")
            seen.add(instruction)
            yield [outcome]

            if isinstance(outcome, Accepted):
                kept += 1
                fruitless = 0
            else:
                fruitless += 1
            if kept == magpie.target or fruitless == magpie.patience:
                return


async def indices() -> AsyncGenerator[int]:
    """Yield 0, 1, 2 and so on."""
    for index in itertools.count():
        yield index


async def synthesise_one(index: int, *, teacher: Teacher, magpie: Magpie) -> Outcome:
    """Return the row of one sample: an instruction and its response."""
    try:
        request = Request(magpie.before, first=index, sampling=magpie.asking)
        (written,) = await teacher.complete(request)
        instruction = written.text.strip()
        if reason := unfit(written):
            row = row_of(index, instruction, written)
            return Rejected(row | {"detail": "instruction"}, reason)

        request = Request((("user", instruction),), sampling=magpie.answering)
        (answer,) = await teacher.complete(request)
    except TeacherError as error:
        return Rejected(failed_row(index, error), FAILED)

    row = row_of(index, instruction, answer) | kept_completion(answer, magpie.kept)
    if reason := unfinished(answer) or magpie.checks.reason(answer.text):
        return Rejected(row | {"detail": "response"}, reason)
    return Accepted(row, "instructions")


def unfit(written: Completion) -> str | None:
    """Return the reason not to ask an instruction, or None.

    These are the rules of the paper's filter that need no other model.
    """
    if reason := unfinished(written):
        return reason
    # a colon at the end announces an input that never comes
    return "trailing_colon" if written.text.rstrip().endswith((":", "：")) else None


def row_of(index: int, instruction: str, last: Completion) -> Row:
    """Return the row of an instruction without its response.

    Args:
        index: of the sample.
        instruction: what the model wrote.
        last: the last text that the model wrote for this row.
    """
    return {
        "id": content_id(METHOD, index, instruction, last.text),
        "method": METHOD,
        "parents": [],
        "prompt": user(instruction),
        "completion": [],
        "instruction": instruction,
        "input": "",
        "finish_reason": last.finish_reason,
    }


def failed_row(index: int, error: TeacherError) -> Row:
    """Return the row of a sample whose request failed for good."""
    return {
        "id": content_id(METHOD, index),
        "method": METHOD,
        "parents": [],
        "finish_reason": str(error),
    }
