"""`datagen magpie`: instructions and responses from an aligned model alone."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.filters.responses import Responses
from datagen.instructions import session
from datagen.instructions.magpie import METHOD, Magpie, synthesise, user_turn
from datagen.run import Run
from datagen.teacher import Request, Sampling, Teacher, connect
from datagen.teacher.hf import HfTeacher
from datagen.teacher.vllm import VllmTeacher


@dataclass(frozen=True)
class MagpieSettings:
    """Let an aligned model write instructions from nothing but its own chat template, and answer them."""

    target: int
    """How many rows to make."""
    out: Path | None = None
    """The run folder, by default runs/magpie-TEACHER. The same command again resumes it."""
    teacher: str = "micro"
    """Who writes and answers: micro or hf:NAME_OR_PATH, a chat model. An openai endpoint hides its template."""
    language: str | None = None
    """Language of the word list of refusals; en by default (the micro teacher has its own)."""
    templates: Path | None = None
    """Folder with word lists of your own, which go before the shipped ones."""
    temperature: float = 1.0
    """Of the instructions."""
    top_p: float = 1.0
    response_temperature: float = 0.0
    """Of the responses; 0 is greedy."""
    max_tokens: int = 2048
    """Longest instruction or response, in tokens. What is cut off there is rejected."""
    patience: int = 100
    """End after this many instructions in a row of which none was kept."""
    seed: int = 0
    concurrency: int = 64
    """Instructions under way at once. Changes nothing but speed."""
    dry_run: bool = False
    """Show the pre-query template; ask nothing, write nothing."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        session.check(
            self,
            target=(self.target >= 1, "at least 1"),
            temperature=(self.temperature > 0, "above 0"),
            top_p=(0 < self.top_p <= 1, "above 0 and at most 1"),
            response_temperature=(self.response_temperature >= 0, "0 or more"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
            patience=(self.patience >= 1, "at least 1"),
            concurrency=(self.concurrency >= 1, "at least 1"),
        )


def magpie(settings: MagpieSettings) -> None:
    """Run, and print what came of it. Raises UserError, also where patience ended before the target."""
    teacher = connect(settings.teacher, concurrency=settings.concurrency)
    if not isinstance(teacher, HfTeacher | VllmTeacher):
        raise UserError(
            f"magpie needs the model's own chat template, which {settings.teacher} hides: "
            "use micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH"
        )
    before, behind = user_turn(teacher.tokenizer)
    if settings.dry_run:
        session.preview([Request(before)], f"{settings.target} instructions of {settings.teacher}")
        return
    out = settings.out or Path("runs") / f"{METHOD}-{settings.teacher.rpartition('/')[2].replace(':', '-')}"
    stats = asyncio.run(generate(settings, teacher, before, behind, out))
    print(session.summary(stats, out))
    if (found := stats["accepted"]["instructions"]) < settings.target:
        raise UserError(
            f"{found} of {settings.target} rows: {settings.patience} instructions in a row were rejected (see "
            f"{out}/rejected.parquet); what was found is kept"
        )


async def generate(settings: MagpieSettings, teacher: Teacher, before: str, behind: str, out: Path) -> dict[str, Any]:
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
            temperature=settings.response_temperature, max_tokens=settings.max_tokens, seed=settings.seed
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
    config = session.configuration(METHOD, settings, teacher=teacher, templates=templates, source=source)
    with Run(out, config, family="instructions") as run:
        return await run.stream(
            partial(synthesise, magpie=how), teacher=teacher, total=settings.target, statistics=lambda items: {}
        )
