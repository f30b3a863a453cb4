"""`datagen filter`: instruction rows in, those worth keeping out; each other one with its reason
and what it met."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

import datagen
from datagen.filters.contamination import load_benchmarks
from datagen.filters.duplicates import (
    Duplicate,
    embedding_duplicates,
    exact_duplicates,
    near_duplicates,
)
from datagen.filters.responses import Responses
from datagen.filters.settings import FilterSettings
from datagen.instructions.language import language
from datagen.instructions.rows import read_rows, source_of
from datagen.instructions.session import summary
from datagen.instructions.templates import Templates
from datagen.run import Run
from datagen.schema import Accepted, Outcome, Rejected, Row
from datagen.teacher import Completion, Messages, Request, TeacherError

METHOD = "filter"
NOT_IN_CONFIG = {"source", "out", "data_root", "language", "templates"}

Verdict = tuple[str, str | None]
"""A reason, and what was met."""
Check = Callable[[Sequence[Row]], dict[int, Verdict]]
"""Which of the rows go, by index, and why."""


def filter_rows(settings: FilterSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    templates = Templates(settings.language or "en", settings.templates)
    rows = read_rows(settings.source, templates, method=METHOD)
    source = source_of(settings.source, rows)
    out = settings.out or Path("runs") / f"{METHOD}-{source['suite'].replace('/', '-')}"
    chosen = {
        f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in NOT_IN_CONFIG
    }
    config = {
        "method": METHOD,
        "code_version": datagen.__version__,
        "teacher": {"name": Nobody.name, "identity": Nobody.identity, "license": None},
        "source": source,
        "settings": chosen | {"language": templates.language, "templates": templates.fingerprint()},
    }
    with Run(out, config, family="instructions") as run:
        work = run.stream(
            lambda _: screened(rows, settings, templates),
            teacher=Nobody(),
            total=len(rows),
            statistics=lambda items: {},
        )
        print(summary(asyncio.run(work), out))


async def screened(
    rows: Sequence[Row], settings: FilterSettings, templates: Templates
) -> AsyncGenerator[list[Outcome]]:
    for outcome in outcomes(rows, checks(settings, templates)):
        yield [outcome]


def outcomes(rows: Sequence[Row], checks: Sequence[Check]) -> list[Outcome]:
    """Every row, accepted or rejected. A check sees what the ones before it left, so that a
    duplicate goes because of a row that passed them."""
    why: dict[int, Verdict] = {}
    for check in checks:
        left = [place for place in range(len(rows)) if place not in why]
        why |= {
            left[index]: verdict
            for index, verdict in check([rows[place] for place in left]).items()
        }
    return [
        Rejected(row | {"detail": why[place][1]}, why[place][0])
        if place in why
        else Accepted(row, "instructions")
        for place, row in enumerate(rows)
    ]


def checks(settings: FilterSettings, templates: Templates) -> list[Check]:
    """The checks that the settings ask for: those of single rows first."""
    found: list[Check] = []
    if settings.responses:
        found.append(responses(settings, templates))
    if settings.against:
        found.append(contaminated(settings))
    if settings.exact_duplicates:
        found.append(duplicates("exact_duplicate", exact_duplicates))
    if threshold := settings.near_duplicates:
        found.append(duplicates("near_duplicate", partial(near_duplicates, threshold=threshold)))
    if threshold := settings.embedding_duplicates:
        find = partial(embedding_duplicates, threshold=threshold, encoder=settings.encoder)
        found.append(duplicates("embedding_duplicate", find))
    return found


def responses(settings: FilterSettings, templates: Templates) -> Check:
    rules = Responses(
        templates,
        language(templates.language),
        shortest=settings.shortest,
        longest=settings.longest,
        repetition=settings.repetition,
    )

    def check(rows: Sequence[Row]) -> dict[int, Verdict]:
        reasons = [
            rules.reason(text_of(row["completion"]), row.get("finish_reason")) for row in rows
        ]
        return {index: (reason, None) for index, reason in enumerate(reasons) if reason}

    return check


def contaminated(settings: FilterSettings) -> Check:
    names = [name.strip() for name in settings.against.split(",")]
    known = load_benchmarks(
        names,
        data_root=settings.data_root,
        covered=settings.ngram_share,
        contained=settings.rouge_l,
    )

    def check(rows: Sequence[Row]) -> dict[int, Verdict]:
        hits = [known.hit(text_of(row["prompt"])) for row in rows]
        return {index: ("contaminated", str(hit)) for index, hit in enumerate(hits) if hit}

    return check


def duplicates(reason: str, find: Callable[[Sequence[str]], list[Duplicate]]) -> Check:
    def check(rows: Sequence[Row]) -> dict[int, Verdict]:
        found = find([text_of(row["prompt"]) for row in rows])
        return {d.index: (reason, f"row {rows[d.kept]['id']} ({d.similarity:.3f})") for d in found}

    return check


def text_of(turns: Sequence[dict[str, str]]) -> str:
    """What was said, without system prompts."""
    return "\n".join(turn["content"] for turn in turns if turn["role"] != "system")


class Nobody:
    """The teacher of a run that asks nothing."""

    name = "none"
    identity = "none"

    async def check(self) -> None: ...

    async def complete(self, request: Request) -> list[Completion]:
        raise TeacherError("a filter asks nothing")

    async def score(self, prompt: str | Messages, continuation: str) -> list[float]:
        raise TeacherError("a filter asks nothing")

    async def close(self) -> None: ...
