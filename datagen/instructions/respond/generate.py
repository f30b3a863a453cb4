"""The teacher's answers to any instruction set, so that it can be distilled.

With `--systems` every instruction is asked under a system prompt that wants explanations (Orca,
arXiv 2306.02707).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from datagen.filters.responses import Responses
from datagen.filters.text import plain
from datagen.instructions.respond.settings import RespondSettings
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id
from datagen.sources.instructions import Prompt, describe
from datagen.teacher import Completion, Messages, Request, Sampling, Teacher

METHOD = "respond"


async def distil(
    prompt: Prompt,
    teacher: Teacher,
    *,
    checks: Responses,
    systems: Sequence[str],
    settings: RespondSettings,
) -> list[Outcome]:
    """A row for each response, in the order they were drawn."""
    system = system_of(prompt, systems, settings.seed)
    answers = await teacher.complete(request_of(prompt, systems, settings))
    outcomes, seen = list[Outcome](), set[str]()
    for sample, answer in enumerate(answers):
        reason = checks.reason(answer.text, answer.finish_reason) or (
            "duplicate" if plain(answer.text) in seen else None
        )
        seen.add(plain(answer.text))
        row = row_of(prompt, system, sample, answer)
        outcomes.append(Rejected(row, reason) if reason else Accepted(row, "instructions"))
    return outcomes


def request_of(prompt: Prompt, systems: Sequence[str], settings: RespondSettings) -> Request:
    sampling = Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
    )
    asked = turns(prompt, system_of(prompt, systems, settings.seed))
    return Request(asked, n=settings.samples, sampling=sampling)


def system_of(prompt: Prompt, systems: Sequence[str], seed: int) -> str | None:
    """The system prompt of an instruction, drawn by its own stream; all its samples share it."""
    return Random(f"{seed}:system:{prompt.id}").choice(systems) if systems else None


def turns(prompt: Prompt, system: str | None) -> Messages:
    asked = (("user", prompt.text),)
    return (("system", system), *asked) if system else asked


def row_of(prompt: Prompt, system: str | None, sample: int, answer: Completion) -> Row:
    text = answer.text.strip()
    shown: list[dict[str, Any]] = [
        {"role": role, "content": content} for role, content in turns(prompt, system)
    ]
    return describe(prompt, METHOD) | {
        "id": content_id(METHOD, prompt.id, system, sample, text),
        "prompt": shown,
        "completion": assistant(text),
        "output": text,
        "system": system,
        "finish_reason": answer.finish_reason,
    }


def failed(prompt: Prompt) -> Row:
    """The row of an instruction whose request failed for good."""
    return describe(prompt, METHOD) | {"id": content_id(METHOD, prompt.id)}
