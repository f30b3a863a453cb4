"""What the commands that start from instructions share: the run, its configuration, and what they
say at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import datagen
from datagen.instructions.language import Language, language
from datagen.instructions.templates import Templates
from datagen.run import Run, Statistics
from datagen.schema import Outcome, Row
from datagen.teacher import Teacher
from datagen.teacher.budget import spending
from datagen.teacher.settings import UNRECORDED, TeacherSettings

Item = TypeVar("Item")
NOT_IN_CONFIG = UNRECORDED | {"source", "language", "templates"}
"""Settings that change no row, and those that the configuration records in another form."""


@dataclass(frozen=True, kw_only=True)
class InstructionSettings(TeacherSettings):
    """The flags of all commands whose words come from templates."""

    language: str | None = None
    """Language of templates, word lists and lengths: en or zh; en by default (the micro teacher has
    its own)."""
    templates: Path | None = None
    """Folder with templates and word lists of your own; a file in it goes before the shipped one of
    the same name."""


def words(settings: InstructionSettings) -> tuple[Templates, Language]:
    """Templates and language; the embedded teacher has its own, unless one is asked for."""
    name = settings.language or ("micro" if settings.teacher == "micro" else "en")
    return Templates(name, settings.templates), language(name)


def configuration(
    method: str,
    settings: InstructionSettings,
    *,
    teacher: Teacher,
    templates: Templates,
    source: dict[str, Any],
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
    settings: InstructionSettings,
    templates: Templates,
    source: dict[str, Any],
    describe: Callable[[Item], Row],
    statistics: Statistics = lambda items: {},
) -> str:
    """Distil every item into a run folder; the closing words. Raises UserError."""
    out = settings.out or Path("runs") / f"{method}-{source['suite'].replace('/', '-')}"
    teacher = settings.connect(out)
    await asyncio.to_thread(lambda: teacher.identity)
    config = configuration(method, settings, teacher=teacher, templates=templates, source=source)
    with Run(out, config, family="instructions", account=settings.account()) as run:
        stats = await run.each(
            items,
            distil,
            teacher=teacher,
            describe=describe,
            statistics=statistics,
            concurrency=settings.under_way,
        )
    return summary(stats, out)


def summary(stats: dict[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    rejected = (
        ", ".join(f"{reason} {number:,}" for reason, number in stats["rejected"].items()) or "none"
    )
    return "\n".join(
        [
            f"{stats['questions']:,} items, {stats['answers']:,} answers in {stats['seconds']:,} s",
            f"accepted:  {sum(stats['accepted'].values()):,}",
            f"rejected:  {rejected}",
            spending(stats),
            f"written to {out}; next: datagen inspect {out}, datagen publish {out} NAME",
        ]
    )
