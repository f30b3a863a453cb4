"""What the commands that start from instructions share: the run, its configuration, and what they say at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import datagen
from datagen.errors import UserError
from datagen.instructions.language import Language, language
from datagen.instructions.templates import Templates
from datagen.run import Run, Statistics
from datagen.schema import Outcome, Row
from datagen.teacher import Messages, Request, Teacher, connect

Item = TypeVar("Item")
NOT_IN_CONFIG = {"source", "out", "teacher", "language", "templates", "concurrency", "dry_run"}
"""Settings that change no row, and those that the configuration records in another form."""


class Settings(Protocol):
    """What the settings of all these commands have."""

    @property
    def out(self) -> Path | None: ...
    @property
    def teacher(self) -> str: ...
    @property
    def language(self) -> str | None: ...
    @property
    def templates(self) -> Path | None: ...
    @property
    def concurrency(self) -> int: ...


def words(settings: Settings) -> tuple[Templates, Language]:
    """Templates and language; the embedded teacher has its own, unless one is asked for."""
    name = settings.language or ("micro" if settings.teacher == "micro" else "en")
    return Templates(name, settings.templates), language(name)


def configuration(
    method: str, settings: Settings, *, teacher: Teacher, templates: Templates, source: dict[str, Any]
) -> dict[str, Any]:
    """What decides the rows, and nothing else: no machine paths, no keys, no speed settings."""
    return {
        "method": method,
        "code_version": datagen.__version__,
        "teacher": {"name": teacher.name, "identity": teacher.identity, "license": None},
        "source": source,
        "settings": {k: v for k, v in vars(settings).items() if k not in NOT_IN_CONFIG}
        | {"language": templates.language, "templates": templates.fingerprint()},
    }


async def run_each(
    method: str,
    items: Sequence[Item],
    distil: Callable[[Item, Teacher], Awaitable[list[Outcome]]],
    *,
    settings: Settings,
    templates: Templates,
    source: dict[str, Any],
    describe: Callable[[Item], Row],
    statistics: Statistics = lambda items: {},
) -> str:
    """Distil every item into a run folder; the closing words. Raises UserError."""
    out = settings.out or Path("runs") / f"{method}-{source['suite'].replace('/', '-')}"
    teacher = connect(settings.teacher, concurrency=settings.concurrency)
    await asyncio.to_thread(lambda: teacher.identity)
    config = configuration(method, settings, teacher=teacher, templates=templates, source=source)
    with Run(out, config, family="instructions") as run:
        stats = await run.each(
            items,
            distil,
            teacher=teacher,
            describe=describe,
            statistics=statistics,
            concurrency=settings.concurrency,
        )
    return summary(stats, out)


def summary(stats: dict[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    rejected = ", ".join(f"{reason} {number:,}" for reason, number in stats["rejected"].items()) or "none"
    return "\n".join(
        [
            f"{stats['questions']:,} items, {stats['answers']:,} answers in {stats['seconds']:,} s",
            f"accepted:  {sum(stats['accepted'].values()):,}",
            f"rejected:  {rejected}",
            f"tokens:    {stats['prompt_tokens']:,} prompt, {stats['completion_tokens']:,} completion",
            f"written to {out}; next: datagen inspect {out}, datagen publish {out} NAME",
        ]
    )


def preview(requests: Sequence[Request], most: str) -> None:
    """The first requests as the teacher would see them, and how many there would be."""
    for request in requests:
        print("---\n" + shown(request.prompt))
    print(f"---\n{most}; nothing was asked.")


def shown(prompt: str | Messages) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(f"[{role}] {content}" for role, content in prompt)


def check(settings: object, **wanted: tuple[bool, str]) -> None:
    """Raise UserError for the first setting that is out of range; each comes with whether it holds and what it must be.

    >>> # check(settings, rounds=(settings.rounds >= 1, "at least 1"))
    """
    for name, (holds, must) in wanted.items():
        if not holds:
            raise UserError(f"--{name} {getattr(settings, name)}: must be {must}")
