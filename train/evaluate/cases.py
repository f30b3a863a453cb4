"""Queries after demonstrations, as every model is asked them.

Two sources, by the suite's name: `in-context`, the micro-world's rules after k demonstrations of
several draws (`in-context/category,shift`: of these families alone); and `episodes:NAME@VERSION`,
the rows of a published demonstrations version, where the student sees its prompt and the teacher
what the teacher saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datagen.errors import UserError
from datagen.prompts.episodes import Format, Style
from datagen.suites.table import SHOTS
from datagen.teacher import Messages, Request, Sampling, Teacher, TeacherError
from train.evaluate.settings import Contender, EvaluateSettings

IN_CONTEXT, EPISODES = "in-context", "episodes:"
QUERIES = 40
"""Of a family, where the settings set no limit."""
TOKENS = 64
"""Longest answer."""

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Case:
    """One query after one row of demonstrations."""

    query: str
    """The query's id: the same for all its rows of demonstrations."""
    family: str
    k: int
    draw: int
    """Which demonstration seed; 0 where there is one."""
    prompt: str
    teacher_prompt: str
    """The same as `prompt`, but where the teacher alone sees the demonstrations."""
    target: str
    format: str


@dataclass(frozen=True)
class Told:
    """What a model said to a case."""

    text: str
    answer: str | None
    correct: bool
    error: str | None = None


def has_cases(suite: str) -> bool:
    return suite.partition("/")[0] == IN_CONTEXT or suite.startswith(EPISODES)


def read_cases(suite: str, settings: EvaluateSettings) -> list[Case]:
    """The cases of a suite: query by query, for each draw after draw, for each k after k. Raises
    UserError."""
    if suite.startswith(EPISODES):
        return from_episodes(suite.removeprefix(EPISODES), settings)
    from datagen.suites import in_context

    families = [name.strip() for name in suite.partition("/")[2].split(",") if name.strip()]
    asked = in_context.queries(
        settings.split, settings.limit or QUERIES, families=families, seed=settings.seed
    )
    return [
        Case(query.id, query.family, k, draw, text, text, query.output, in_context.FORMAT)
        for query in asked
        for draw in range(settings.demonstration_seeds)
        for k in SHOTS
        for text in [query.text(k, seed=draw)]
    ]


def from_episodes(reference: str, settings: EvaluateSettings) -> list[Case]:
    """The first `limit` rows of a version, all by default."""
    from datagen.versions import resolve
    from train.data import open_config

    version = resolve(reference)
    rows = open_config(version.path, "demonstrations")
    if "teacher_prompt" not in rows.column_names:
        raise UserError(
            f"{reference}: no column teacher_prompt, what the teacher saw; build it again"
        )
    return [
        case_of(row)
        for row in (rows if settings.limit is None else rows.take(min(settings.limit, len(rows))))
    ]


def case_of(row: dict[str, Any]) -> Case:
    [asked], [seen] = row["prompt"], row["teacher_prompt"]
    return Case(
        row["id"], row["task"], row["k"], 0, asked["content"], seen["content"], row["target"], row["format"]
    )  # fmt: skip


async def tell(
    teacher: Teacher,
    cases: Sequence[Case],
    *,
    contender: Contender,
    settings: EvaluateSettings,
    advance: Advance,
) -> list[Told]:
    """The greedy answer to every case, in order. Raises UserError where not one could be asked."""
    told = await asyncio.gather(
        *(tell_one(teacher, case, contender, settings, advance) for case in cases)
    )
    if all(one.error for one in told):
        raise UserError(f"{teacher.name} answered none of the {len(told)} queries: {told[0].error}")
    return told


async def tell_one(
    teacher: Teacher, case: Case, contender: Contender, settings: EvaluateSettings, advance: Advance
) -> Told:
    """Asked, cut and judged as in `datagen demonstrations`."""
    from datagen.answers.matching import matches

    format: Format = Format(case.format)
    style: Style = "plain" if settings.prompt_style == "plain" else "chat"
    sampling = Sampling(
        temperature=0, max_tokens=min(TOKENS, settings.max_tokens), stop=format.stop(style=style)
    )
    try:
        [completion] = await teacher.complete(
            Request(prompt_of(case, contender, style), sampling=sampling)
        )
    except TeacherError as failure:
        return Told("", None, False, str(failure))
    advance(1)
    answer = format.read(completion.text)
    return Told(completion.text, answer, matches(answer, case.target))


def prompt_of(case: Case, contender: Contender, style: Style) -> str | Messages:
    text = case.teacher_prompt if contender.role == "teacher" else case.prompt
    return text if style == "plain" else (("user", text),)
