"""`datagen magpie`: writes a run folder of instructions and responses of an aligned model."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.filters.responses import Responses
from datagen.instructions.magpie.chat_template import user_turn
from datagen.instructions.magpie.generate import METHOD, Magpie, synthesise
from datagen.instructions.magpie.settings import MagpieSettings
from datagen.run.job import Incomplete, Job, RunResult, run_job
from datagen.teacher import Request, Sampling
from datagen.teacher.cost.forecast import Forecast, forecast_of

PROMPTS = {
    "instruction": "{the teacher's chat template, up to where a user's words begin}",
    "response": "[user] {instruction}",
}
"""The prompts of a run by name."""


def run_magpie(settings: MagpieSettings) -> RunResult:
    """Let the teacher write instructions, and answer them.

    Raises:
        UserError: the teacher hides its chat template.
        Incomplete: patience ended before the target. What was found is kept.
    """
    out = settings.out or default_out(settings)
    teacher = settings.connect(out)
    how = plan(settings, teacher)
    templates, _ = settings.words()
    result = run_job(
        Job(
            method=METHOD,
            family="instructions",
            out=out,
            teacher=teacher,
            teacher_license=settings.teacher_license,
            account=settings.account(),
            source=source_of(how.before),
            settings=settings.recorded(templates),
            prompts=PROMPTS,
            work=lambda run, teacher: run.stream(
                partial(synthesise, magpie=how), teacher=teacher, total=settings.target
            ),
        )
    )
    found = result.stats["accepted"]["instructions"]
    # patience ended the run: its rows are kept, and the caller is told
    if found < settings.target:
        raise Incomplete(
            f"{found} of {settings.target} rows: {settings.patience} instructions in a row were "
            f"rejected (see {out}/rejected.parquet); what was found is kept",
            result,
        )
    return result


def forecast_magpie(settings: MagpieSettings) -> Forecast:
    """Return what a run would ask and cost. Raises UserError."""
    how = plan(settings, settings.connect(settings.out or default_out(settings)))
    asked = [Request(how.before, sampling=Sampling(max_tokens=settings.max_tokens))]
    what = f"{settings.target} instructions of {settings.teacher}"

    # each row takes two calls: the instruction and its response
    return forecast_of(asked, what, settings, calls=2 * settings.target, bound="at least ")


def default_out(settings: MagpieSettings) -> Path:
    """Return the run folder if the user names none."""
    return Path("runs") / f"{METHOD}-{settings.teacher.rpartition('/')[2].replace(':', '-')}"


def plan(settings: MagpieSettings, teacher: Any) -> Magpie:
    """Return how to synthesise with a teacher. Raises UserError if it hides its chat template."""
    if not teacher.capabilities.tokenizer:
        raise UserError(
            f"magpie needs the model's own chat template, which {settings.teacher} hides: "
            "use micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH"
        )
    # loads the tokenizer only: the weights are not needed for this
    before, behind = user_turn(teacher.load_tokenizer())
    templates, language = settings.words()
    sampling = partial(Sampling, max_tokens=settings.max_tokens, seed=settings.seed)
    return Magpie(
        before=before,
        target=settings.target,
        patience=settings.patience,
        ahead=settings.concurrency,
        asking=sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            stop=(behind,) if behind else (),
        ),
        answering=sampling(temperature=settings.response_temperature),
        checks=Responses(language.name, templates=templates),
        kept=settings.reasoning,
    )


def source_of(before: str) -> dict[str, Any]:
    """Return what the configuration says of the source: a hash of the pre-query template."""
    return {
        "suite": "pre-query template",
        "hub": None,
        "split": None,
        "questions": 0,
        "sha256": hashlib.sha256(before.encode()).hexdigest(),
    }
