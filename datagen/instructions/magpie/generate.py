"""Magpie (arXiv 2406.08464): an aligned model, given only what its chat template puts before a
user's words, writes those words itself.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from datagen.errors import UserError
from datagen.filters.responses import Responses
from datagen.filters.text import plain, unfinished
from datagen.run import FAILED
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id, user
from datagen.teacher import Completion, Request, Sampling, Teacher, TeacherError

METHOD = "magpie"
SENTINEL = "SENTINEL"
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Magpie:
    """What to synthesise, and how."""

    before: str
    """The pre-query template: what stands before the user's words."""
    target: int
    patience: int
    """Instructions in a row that may fail before it ends."""
    ahead: int
    """Instructions under way at once."""
    asking: Sampling
    answering: Sampling
    checks: Responses


async def synthesise(teacher: Teacher, *, magpie: Magpie) -> AsyncGenerator[list[Outcome]]:
    """Instructions and their responses in the order of their samples, until enough are kept
    (section 2.1).
    """
    seen, kept, fruitless = set[str](), 0, 0
    async with aclosing(
        in_order(lambda index: draw(index, teacher, magpie), ahead=magpie.ahead)
    ) as drawn:
        async for outcome in drawn:
            instruction = plain(outcome.row.get("instruction", ""))
            if isinstance(outcome, Accepted) and instruction in seen:
                outcome = Rejected(outcome.row, "duplicate")
            seen.add(instruction)
            yield [outcome]
            kept, fruitless = (
                (kept + 1, 0) if isinstance(outcome, Accepted) else (kept, fruitless + 1)
            )
            if kept == magpie.target or fruitless == magpie.patience:
                return


async def draw(index: int, teacher: Teacher, magpie: Magpie) -> Outcome:
    """Sample `index` of the pre-query template, and the response to it when it is fit to be
    asked.
    """
    try:
        (written,) = await teacher.complete(
            Request(magpie.before, first=index, sampling=magpie.asking)
        )
        instruction = written.text.strip()
        if reason := unfit(written):
            return Rejected(row_of(index, instruction, written) | {"detail": "instruction"}, reason)
        (answer,) = await teacher.complete(
            Request((("user", instruction),), sampling=magpie.answering)
        )
    except TeacherError as error:
        row = {
            "id": content_id(METHOD, index),
            "method": METHOD,
            "parents": [],
            "finish_reason": str(error),
        }
        return Rejected(row, FAILED)
    row = row_of(index, instruction, answer) | {"completion": assistant(answer.text.strip())}
    row["output"] = answer.text.strip()
    reason = magpie.checks.reason(answer.text, answer.finish_reason)
    return (
        Rejected(row | {"detail": "response"}, reason) if reason else Accepted(row, "instructions")
    )


def unfit(written: Completion) -> str | None:
    """The rules of the paper's example filter that need no other model; an instruction that ends in
    a colon waits for an input that never comes.
    """
    return unfinished(written) or (
        "trailing_colon" if written.text.rstrip().endswith((":", "：")) else None
    )


def row_of(index: int, instruction: str, last: Completion) -> Row:
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


async def in_order(make: Callable[[int], Awaitable[Made]], *, ahead: int) -> AsyncGenerator[Made]:
    """`make(0)`, `make(1)` and so on without end, `ahead` of them under way at once."""
    waiting = deque(asyncio.ensure_future(make(index)) for index in range(ahead))
    try:
        for index in itertools.count(ahead):
            yield await waiting.popleft()
            waiting.append(asyncio.ensure_future(make(index)))
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def user_turn(tokenizer: Any) -> tuple[str, str]:
    """What the chat template puts before a user's words, and what ends them: the end of the turn,
    or where the template marks none, the beginning of the next. Raises UserError for a model
    without such a template.

    A beginning-of-text token that the tokenizer adds by itself is left out: the text is encoded
    again as it stands.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError("the model has no chat template: magpie needs an aligned (chat) model")
    turn = [{"role": "user", "content": SENTINEL}]
    texts = [
        tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=more)
        for more in (False, True)
    ]
    before, _, behind = texts[0].partition(SENTINEL)
    first = tokenizer.bos_token
    if (
        first
        and before.startswith(first)
        and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    ):
        before = before.removeprefix(first)
    if not before.strip():
        raise UserError(
            "the model's chat template puts nothing before a user's words: magpie cannot use it"
        )
    return before, behind.strip() or texts[1].partition(SENTINEL)[2].strip()
