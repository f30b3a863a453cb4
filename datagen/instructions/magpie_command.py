"""`datagen magpie`: instructions and responses from an aligned model alone."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datagen.commands import check
from datagen.errors import UserError
from datagen.filters.responses import Responses
from datagen.instructions import session
from datagen.instructions.magpie import METHOD, Magpie, synthesise, user_turn
from datagen.run import Run
from datagen.teacher import Request, Sampling, Teacher
from datagen.teacher.forecast import preview


@dataclass(frozen=True)
class MagpieSettings(session.InstructionSettings):
    """Let an aligned model write instructions from nothing but its own chat template, and answer
    them.

    The teacher is micro, hf: or vllm:, a chat model; an endpoint hides its template.
    """

    target: int
    """How many rows to make."""
    temperature: float = 1.0
    """Of the instructions."""
    top_p: float = 1.0
    response_temperature: float = 0.0
    """Of the responses; 0 is greedy."""
    max_tokens: int = 2048
    """Longest instruction or response, in tokens. What is cut off there is rejected."""
    patience: int = 100
    """End after this many instructions in a row of which none was kept."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            target=(self.target >= 1, "at least 1"),
            temperature=(self.temperature > 0, "above 0"),
            top_p=(0 < self.top_p <= 1, "above 0 and at most 1"),
            response_temperature=(self.response_temperature >= 0, "0 or more"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
            patience=(self.patience >= 1, "at least 1"),
        )


def magpie(settings: MagpieSettings) -> None:
    """Run, and print what came of it. Raises UserError, also where patience ended before the
    target."""
    out = (
        settings.out
        or Path("runs") / f"{METHOD}-{settings.teacher.rpartition('/')[2].replace(':', '-')}"
    )
    teacher = settings.connect(out)
    tokenizer = getattr(teacher, "tokenizer", None)
    if tokenizer is None:
        raise UserError(
            f"magpie needs the model's own chat template, which {settings.teacher} hides: "
            "use micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH"
        )
    before, behind = user_turn(tokenizer)
    if settings.dry_run:
        asked = [Request(before, sampling=Sampling(max_tokens=settings.max_tokens))]
        what = f"{settings.target} instructions of {settings.teacher}"
        preview(asked, what, settings, calls=2 * settings.target, bound="at least ")
        return
    stats = asyncio.run(generate(settings, teacher, before, behind, out))
    print(session.summary(stats, out))
    if (found := stats["accepted"]["instructions"]) < settings.target:
        raise UserError(
            f"{found} of {settings.target} rows: {settings.patience} instructions in a row were rejected (see "
            f"{out}/rejected.parquet); what was found is kept"
        )


async def generate(
    settings: MagpieSettings, teacher: Teacher, before: str, behind: str, out: Path
) -> dict[str, Any]:
    templates, language = session.words(settings)
    how = Magpie(
        before=before,
        target=settings.target,
        patience=settings.patience,
        ahead=settings.concurrency,
        asking=Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            stop=(behind,) if behind else (),
            seed=settings.seed,
        ),
        answering=Sampling(
            temperature=settings.response_temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
        ),
        checks=Responses(templates, language),
    )
    source = {
        "suite": "pre-query template",
        "hub": None,
        "split": None,
        "questions": 0,
        "sha256": hashlib.sha256(before.encode()).hexdigest(),
    }
    config = session.configuration(
        METHOD, settings, teacher=teacher, templates=templates, source=source
    )
    with Run(out, config, family="instructions", account=settings.account()) as run:
        return await run.stream(
            partial(synthesise, magpie=how),
            teacher=teacher,
            total=settings.target,
            statistics=lambda items: {},
        )
