"""The method: ask for a sum several times, and keep it if all answers are equal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from datagen.answers import extract, vote
from datagen.prompts.templates import Templates, recorded_prompts
from datagen.run.job import Job, RunResult, default_out, run_job, source_record
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id, user
from datagen.teacher import Request, Sampling, Teacher
from tests.api.new_method.settings import SumSettings

METHOD = "agreed-sums"
PROMPTS = Path(__file__).parent / "templates"


async def agreed_sum(
    pair: tuple[str, str], teacher: Teacher, *, templates: Templates, settings: SumSettings
) -> list[Outcome]:
    """Return one row: the first answer, if all answers give the same sum."""
    sampling = Sampling(temperature=1.0, max_tokens=64, seed=settings.seed)
    request = Request(prompt_of(pair, templates), n=settings.samples, sampling=sampling)
    answers = await teacher.complete(request)

    first = answers[0].text.strip()
    row = describe(pair) | {"completion": assistant(first), "output": first}
    ballot = vote([extract(answer.text, "number") for answer in answers])
    return [Accepted(row, "instructions") if ballot.agreement == 1 else Rejected(row, "disagree")]


def prompt_of(pair: tuple[str, str], templates: Templates) -> tuple[tuple[str, str], ...]:
    return templates.messages("sum", first=pair[0], second=pair[1])


def describe(pair: tuple[str, str]) -> Row:
    """Return the columns that are known before the teacher answers."""
    asked = f"What is {pair[0]} plus {pair[1]}?"
    return {
        "id": content_id(METHOD, *pair),
        "method": METHOD,
        "parents": [],
        "prompt": user(asked),
        "completion": [],
        "instruction": asked,
        "input": "",
    }


def run_agreed_sums(settings: SumSettings) -> RunResult:
    """Ask for every sum of the source."""
    templates = Templates(settings.language_name, settings.templates or PROMPTS)
    pairs = [tuple(line.split()) for line in Path(settings.source).read_text().splitlines()]
    source = source_record(settings.source, len(pairs), pairs)
    out = settings.out or default_out(METHOD, source["suite"])
    work = partial(agreed_sum, templates=templates, settings=settings)

    return run_job(
        Job(
            method=METHOD,
            family="instructions",
            out=out,
            teacher=settings.connect(out),
            account=settings.account(),
            source=source,
            settings=settings.recorded(templates),
            prompts=recorded_prompts(templates, ["sum"]),
            work=lambda run, teacher: run.each(
                pairs, work, teacher=teacher, describe=describe, concurrency=settings.under_way
            ),
        )
    )
