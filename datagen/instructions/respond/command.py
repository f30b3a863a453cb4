"""`datagen respond`: reads instructions, and writes a run folder of the teacher's responses."""

from __future__ import annotations

from functools import partial

from datagen.errors import UserError
from datagen.filters.responses import Responses
from datagen.instructions.respond.generate import METHOD, failed_row, request_of, respond
from datagen.instructions.respond.settings import RespondSettings
from datagen.prompts.templates import Templates, recorded_prompts
from datagen.run.job import Job, RunResult, default_out, run_job, source_record
from datagen.sources.instructions import Prompt, asked, prompts_of
from datagen.sources.tally import SourceTally
from datagen.sources.tasks import instructions_from
from datagen.teacher.cost.forecast import Forecast, forecast_of


def run_respond(settings: RespondSettings) -> RunResult:
    """Ask the teacher for a response to every instruction. Raises UserError."""
    templates, language = settings.words()
    systems = read_systems(settings, templates)
    tally = SourceTally()
    prompts = read_source(settings, templates, tally)
    source = source_record(settings.source, len(prompts), asked(prompts))
    out = settings.out or default_out(METHOD, source["suite"])
    checks = Responses(language.name, templates=templates)
    answer = partial(respond, checks=checks, systems=systems, settings=settings)

    return run_job(
        Job(
            method=METHOD,
            family="instructions",
            out=out,
            teacher=settings.connect(out),
            teacher_license=settings.teacher_license,
            account=settings.account(),
            source=source,
            read=tally.counts(),
            settings=settings.recorded(templates),
            prompts=prompts_asked(settings, templates),
            work=lambda run, teacher: run.each(
                prompts,
                answer,
                teacher=teacher,
                describe=failed_row,
                concurrency=settings.under_way,
            ),
        )
    )


def forecast_respond(settings: RespondSettings) -> Forecast:
    """Return what a run would ask and cost. Raises UserError."""
    templates, _ = settings.words()
    systems = read_systems(settings, templates)
    tally = SourceTally()
    prompts = read_source(settings, templates, tally)
    requests = [request_of(prompt, systems, settings) for prompt in prompts]
    what = f"{len(prompts)} instructions × {settings.samples} responses of {settings.teacher}"
    return forecast_of(requests, what, settings, notes=tally.lines())


def read_source(
    settings: RespondSettings, templates: Templates, tally: SourceTally
) -> list[Prompt]:
    """Return the instructions to answer."""
    tasks = instructions_from(settings.source, limit=settings.limit, tally=tally)
    return prompts_of(tasks, templates)


def read_systems(settings: RespondSettings, templates: Templates) -> list[str]:
    """Return the system prompts to draw from; none without `--systems`. Raises UserError."""
    if not settings.systems:
        return []
    systems = [templates.text(f"systems/{name}").strip() for name in templates.names("systems")]
    # the user asked for system prompts, so none at all is an error
    if not systems:
        raise UserError(
            f"--systems: there are no system prompts for {templates.language}; "
            "put some in systems/*.txt"
        )
    return systems


def prompts_asked(settings: RespondSettings, templates: Templates) -> dict[str, str]:
    """Return the prompts of a run by name."""
    systems = templates.names("systems") if settings.systems else ()
    names = ["with_input", *(f"systems/{name}" for name in systems)]
    return {"response": "[user] {instruction}"} | recorded_prompts(templates, names)
