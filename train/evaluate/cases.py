"""Asking models queries after demonstrations.

There are two sources, by the suite's name. `in-context` has the micro-world's rules after k
demonstrations of several draws; `in-context/category,shift` has only these families.
`episodes:NAME@VERSION` has the rows of a published demonstrations version: the student sees its
prompt, and the teacher sees what the teacher saw when the version was made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datagen.errors import UserError
from datagen.prompts.episodes import Format
from datagen.suites.table import SHOTS
from datagen.teacher import Messages, Request, Sampling, Teacher, TeacherError
from train.evaluate.contenders import Contender
from train.evaluate.settings import EvaluateSettings

IN_CONTEXT = "in-context"
EPISODES = "episodes:"
QUERIES = 40
"""Queries of a rule family if the settings set no limit. An accuracy of 0.5 over one draw then has
an interval of about 0.15 on either side."""
TOKENS = 64
"""Longest answer, in tokens. Labels of rules have only a few. A model that continues is cut off."""

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Case:
    """One query after one row of demonstrations."""

    query: str
    """The query's id: the same for all its rows of demonstrations."""
    family: str
    k: int
    draw: int
    """The number of the demonstration seed; 0 if there is only one."""
    prompt: str
    teacher_prompt: str
    """It differs from `prompt` if only the teacher sees the demonstrations."""
    target: str
    format: str


@dataclass(frozen=True)
class CaseAnswer:
    """What a model answered to a case."""

    text: str
    answer: str | None
    correct: bool
    error: str | None = None
    reasoning: str = ""


def has_cases(suite: str) -> bool:
    """Return whether a suite consists of queries after demonstrations."""
    return suite.partition("/")[0] == IN_CONTEXT or suite.startswith(EPISODES)


def read_cases(suite: str, settings: EvaluateSettings) -> list[Case]:
    """Return the cases of a suite, ordered by query, then by draw, then by k.

    Raises:
        UserError: the suite or its version cannot be read.
    """
    if suite.startswith(EPISODES):
        return from_episodes(suite.removeprefix(EPISODES), settings)
    from datagen.suites import in_context

    families = [name.strip() for name in suite.partition("/")[2].split(",") if name.strip()]
    asked = in_context.queries(
        settings.split, settings.limit or QUERIES, families=families, seed=settings.seed
    )
    # `curves_section` reshapes the answers, so it relies on this order
    places = [
        (query, draw, k)
        for query in asked
        for draw in range(settings.demonstration_seeds)
        for k in SHOTS
    ]
    return [rule_case(query, draw, k) for query, draw, k in places]


def rule_case(query: Any, draw: int, k: int) -> Case:
    """Return the case of a rule's query after k demonstrations of a draw."""
    from datagen.suites import in_context

    text = query.text(k, seed=draw)
    return Case(query.id, query.family, k, draw, text, text, query.output, in_context.FORMAT)


def from_episodes(reference: str, settings: EvaluateSettings) -> list[Case]:
    """Return the cases of the first `limit` rows of a version, or of all rows."""
    from datagen.versions import resolve
    from train.data.versions import open_config

    version = resolve(reference)
    rows = open_config(version.path, "demonstrations")
    if "teacher_prompt" not in rows.column_names:
        raise UserError(
            f"{reference}: no column teacher_prompt, what the teacher saw; build it again"
        )
    kept = rows if settings.limit is None else rows.take(min(settings.limit, len(rows)))
    return [case_of(row) for row in kept]


def case_of(row: dict[str, Any]) -> Case:
    """Return the case of a row of a demonstrations version."""
    # an episode is a conversation of one turn
    [asked] = row["prompt"]
    [seen] = row["teacher_prompt"]
    return Case(
        query=row["id"],
        family=row["task"],
        k=row["k"],
        draw=0,
        prompt=asked["content"],
        teacher_prompt=seen["content"],
        target=row["target"],
        format=row["format"],
    )


async def answer_cases(
    teacher: Teacher,
    cases: Sequence[Case],
    *,
    contender: Contender,
    settings: EvaluateSettings,
    advance: Advance,
) -> list[CaseAnswer]:
    """Return the greedy answer to every case, in order.

    Raises:
        UserError: none of them could be asked.
    """
    found = await asyncio.gather(
        *(answer_case(teacher, case, contender, settings, advance) for case in cases)
    )
    # a report with an accuracy of 0 would hide that the model could not be asked
    if all(answer.error for answer in found):
        why = found[0].error
        raise UserError(f"{teacher.name} answered none of the {len(found)} queries: {why}")
    return found


async def answer_case(
    teacher: Teacher, case: Case, contender: Contender, settings: EvaluateSettings, advance: Advance
) -> CaseAnswer:
    """Return the greedy answer to one case, cut and judged as in `datagen demonstrations`."""
    from datagen.answers.matching import matches

    format: Format = Format(case.format)
    style = contender.prompt_style
    sampling = Sampling(
        temperature=0, max_tokens=min(TOKENS, settings.max_tokens), stop=format.stop(style=style)
    )
    try:
        [completion] = await teacher.complete(
            Request(prompt_of(case, contender), sampling=sampling)
        )
    except TeacherError as failure:
        return CaseAnswer("", None, False, str(failure))
    advance(1)
    answer = format.read(completion.text)
    correct = matches(answer, case.target)
    return CaseAnswer(completion.text, answer, correct, reasoning=completion.reasoning)


def prompt_of(case: Case, contender: Contender) -> str | Messages:
    """Return the prompt of a case for this contender."""
    text = case.teacher_prompt if contender.role == "teacher" else case.prompt
    return text if contender.prompt_style == "plain" else (("user", text),)
