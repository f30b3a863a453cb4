"""`datagen respond`: the teacher's answers to any instruction set, so that it can be distilled.

With `--systems` every instruction is asked under a system prompt that wants explanations (Orca,
arXiv 2306.02707)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, ClassVar

from datagen.commands import check
from datagen.errors import UserError
from datagen.filters.responses import Responses
from datagen.instructions import session
from datagen.instructions.eliminate import plain
from datagen.instructions.prompts import Prompt, describe, prompts_of, source_of
from datagen.instructions.tasks import instructions_from
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id
from datagen.teacher import Completion, Messages, Request, Sampling, Teacher
from datagen.teacher.forecast import preview
from datagen.teacher.settings import sampling_checks

METHOD = "respond"


@dataclass(frozen=True)
class RespondSettings(session.InstructionSettings):
    """Let the teacher answer an instruction set, several times each if wanted."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Instructions to answer: a run folder, a dataset version (NAME or NAME@VERSION), a Parquet or
    JSONL file."""
    limit: int | None = None
    """Answer the first LIMIT instructions only."""
    samples: int = 1
    """Responses drawn per instruction. One that says the same as an earlier one is rejected as a
    duplicate."""
    systems: bool = False
    """Ask every instruction under a system prompt that wants an explanation, drawn from the
    templates in `systems/`."""
    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 1.0
    max_tokens: int = 2048
    """Longest response, in tokens. What is cut off there is rejected."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            **sampling_checks(
                samples=self.samples,
                temperature=self.temperature,
                top_p=self.top_p,
                max_tokens=self.max_tokens,
            ),
        )


def respond(settings: RespondSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    templates, language = session.words(settings)
    systems = [templates.text(f"systems/{name}").strip() for name in templates.names("systems")]
    if settings.systems and not systems:
        raise UserError(
            f"--systems: there are no system prompts for {templates.language}; put some in systems/*.txt"
        )
    prompts = prompts_of(instructions_from(settings.source)[: settings.limit], templates)
    systems = systems if settings.systems else []
    if settings.dry_run:
        asked = [request_of(prompt, systems, settings) for prompt in prompts]
        preview(
            asked,
            f"{len(prompts)} instructions × {settings.samples} responses of {settings.teacher}",
            settings,
        )
        return
    run = session.run_each(
        METHOD,
        prompts,
        partial(distil, checks=Responses(templates, language), systems=systems, settings=settings),
        settings=settings,
        templates=templates,
        source=source_of(settings.source, prompts),
        describe=lambda prompt: describe(prompt, METHOD) | {"id": content_id(METHOD, prompt.id)},
    )
    print(asyncio.run(run))


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
