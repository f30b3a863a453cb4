"""`datagen evol-instruct`: reads instructions, and writes a run folder of their evolutions."""

from __future__ import annotations

from functools import partial

from datagen.instructions.evol_instruct.eliminate import Eliminator
from datagen.instructions.evol_instruct.generate import Evolution, draw_operation, evolve
from datagen.instructions.evol_instruct.rows import METHOD, failed_row, statistics
from datagen.instructions.evol_instruct.settings import EvolSettings, read_weights
from datagen.prompts.templates import recorded_prompts
from datagen.run.job import Job, RunResult, default_out, run_job, source_record
from datagen.sources.instructions import Prompt, asked, prompts_of
from datagen.sources.tally import SourceTally
from datagen.sources.tasks import instructions_from
from datagen.teacher import Request, Sampling
from datagen.teacher.cost.forecast import Forecast, forecast_of


def run_evol_instruct(settings: EvolSettings) -> RunResult:
    """Evolve every instruction, round after round. Raises UserError."""
    evolution = evolution_of(settings)
    tally = SourceTally()
    prompts = read_source(settings, evolution, tally)
    source = source_record(settings.source, len(prompts), asked(prompts))
    out = settings.out or default_out(METHOD, source["suite"])

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
            settings=settings.recorded(evolution.templates),
            prompts=prompts_asked(evolution),
            work=lambda run, teacher: run.each(
                prompts,
                partial(evolve, evolution=evolution),
                teacher=teacher,
                describe=failed_row,
                statistics=statistics,
                concurrency=settings.under_way,
            ),
        )
    )


def forecast_evol_instruct(settings: EvolSettings) -> Forecast:
    """Return what a run would ask and cost. Raises UserError."""
    evolution = evolution_of(settings)
    tally = SourceTally()
    prompts = read_source(settings, evolution, tally)
    requests = [rewriting_request(prompt, evolution) for prompt in prompts]
    what = f"{len(prompts)} instructions × {settings.rounds} rounds to {settings.teacher}"

    # a round asks for the rewriting, its response and a judgement
    calls = len(prompts) * (3 * settings.rounds + settings.keep_seeds)
    notes = tally.lines()
    return forecast_of(requests, what, settings, calls=calls, bound="at most ", notes=notes)


def rewriting_request(prompt: Prompt, evolution: Evolution) -> Request:
    """Return the first request of an instruction."""
    name = f"evolve/{draw_operation(prompt, 1, evolution)}"
    messages = evolution.templates.messages(name, instruction=prompt.text)
    return Request(messages, sampling=evolution.rewriting)


def read_source(settings: EvolSettings, evolution: Evolution, tally: SourceTally) -> list[Prompt]:
    """Return the instructions to begin with.

    An instruction that continues a conversation is left out: alone it cannot be rewritten.
    """
    tasks = instructions_from(settings.source, limit=settings.limit, history=False, tally=tally)
    return prompts_of(tasks, evolution.templates)


def prompts_asked(evolution: Evolution) -> dict[str, str]:
    """Return the prompts of a run by name: response, operations with a weight, judgement."""
    # a run records only the prompts that it can ask
    drawn = sorted(name for name, weight in evolution.weights.items() if weight)
    names = [*(f"evolve/{name}" for name in drawn), "same"]
    return {"response": "[user] {instruction}"} | recorded_prompts(evolution.templates, names)


def evolution_of(settings: EvolSettings) -> Evolution:
    """Return how instructions evolve under these settings. Raises UserError."""
    templates, language = settings.words()
    sampling = partial(Sampling, max_tokens=settings.max_tokens, seed=settings.seed)
    return Evolution(
        templates=templates,
        eliminator=Eliminator(templates, language, refusal_words=settings.refusal_words),
        weights=read_weights(settings.weights, templates),
        rounds=settings.rounds,
        keep_seeds=settings.keep_seeds,
        rewriting=sampling(temperature=settings.temperature, top_p=settings.top_p),
        answering=sampling(temperature=settings.response_temperature, top_p=settings.top_p),
        kept=settings.reasoning,
        # greedy: the same pair of instructions gets the same judgement
        judging=sampling(temperature=0.0),
    )
