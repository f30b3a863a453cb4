"""`datagen self-instruct`: seed tasks in, a run folder out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.instructions.self_instruct.asking import Asking
from datagen.instructions.self_instruct.generate import Plan, Pool, Tally, self_instruct
from datagen.instructions.self_instruct.modes import mode
from datagen.instructions.self_instruct.rules import Rules, rules
from datagen.instructions.self_instruct.seed_tasks import shipped
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.prompts.language import Language, language
from datagen.prompts.templates import Templates, recorded_prompts
from datagen.run.job import Incomplete, Job, RunResult, counted, run_job
from datagen.run.open_run import OpenRun
from datagen.sources.tasks import Task, read_tasks
from datagen.teacher import Request, Sampling, Teacher
from datagen.teacher.cost.budget import spending
from datagen.teacher.cost.forecast import Forecast, forecast_of

if TYPE_CHECKING:
    from datagen.filters.novelty import Novelty

CONFIGURED = (
    "target",
    "mode",
    "instances",
    "instance_tokens",
    "paraphrases",
    "similarity",
    "lag",
    "patience",
    "seed",
)
"""Settings that the configuration records as they are; the others change no row or are recorded as
what they mean."""
NEIGHBOURS = 10
POOL = "novelty.jsonl"
"""The pool that a finished run leaves in its folder."""


def run_self_instruct(settings: SelfInstructSettings) -> RunResult:
    """Write new instructions until the target is reached.

    Raises:
        UserError: seeds or settings cannot be used.
        Incomplete: patience ended before the target. What was found is kept.
    """
    plan, asking = plan_of(settings)
    novelty = compared_with(plan.seeds, settings)
    out = settings.out or Path("runs") / f"{settings.mode}-{settings.spoken}"
    result = run_job(
        Job(
            method=settings.mode,
            family="instructions",
            out=out,
            teacher=settings.connect(out),
            teacher_license=settings.teacher_license,
            account=settings.account(),
            source=source_of(plan.seeds, settings),
            settings=recorded(asking, settings),
            prompts=recorded_prompts(asking.templates, prompt_names(asking, settings)),
            work=partial(write_instructions, plan=plan, novelty=novelty),
            summarise=summary,
        )
    )
    if result.stats["ended"] == "patience":
        accepted = result.stats["instructions"]["accepted"]
        raise Incomplete(
            f"the last {settings.patience} calls gave no new instruction, so the run ended at "
            f"{accepted:,} of {settings.target:,}; what there is, is in {out}. Give it more seeds, "
            "a higher --temperature or --patience",
            result,
        )
    return result


def forecast_self_instruct(settings: SelfInstructSettings) -> Forecast:
    """What a run would ask and cost. Raises UserError."""
    plan, _ = plan_of(settings)
    recipe = settings.recipe
    sampling = Sampling(max_tokens=recipe.max_tokens)
    pool = Pool(plan.seeds)
    prompts = [plan.mode.prompt(pool.demonstrations(number, settings)) for number in range(2)]
    asked = [Request(prompt, sampling=sampling) for prompt in prompts]

    # calls for instructions, and those that complete each: classification and instances, or
    # output and other wordings
    more = {
        "self-instruct": 2,
        "alpaca": 0,
        "unnatural": 1 + (settings.paraphrases > 0),
    }[settings.mode]
    calls = math.ceil(settings.target / recipe.per_call) + more * settings.target
    seeds = len(plan.seeds)
    what = f"{seeds} seeds, {settings.target:,} instructions wanted of {settings.teacher}"
    return forecast_of(asked, what, settings, calls=calls, bound="at least ")


def plan_of(settings: SelfInstructSettings) -> tuple[Plan, Asking]:
    """Seeds, prompts and rules of these settings. Raises UserError."""
    spoken = language(settings.spoken)
    asking = Asking(Templates(spoken.name, settings.templates), settings.asked_in, settings.seed)
    rules = instruction_rules(spoken, asking.templates, settings)
    return Plan(read_seeds(settings), mode(asking, rules, settings), rules, settings), asking


async def write_instructions(
    run: OpenRun, teacher: Teacher, *, plan: Plan, novelty: Novelty
) -> dict[str, Any]:
    """Fill the run; leave the pool of all instructions in its folder. Returns the statistics."""
    tally = Tally()

    def close(items: object) -> dict[str, Any]:
        novelty.save(run.path / POOL)
        return tally.report(plan.settings.target)

    produce = partial(self_instruct, plan=plan, novelty=novelty, tally=tally)
    return await run.stream(produce, teacher=teacher, total=plan.settings.target, statistics=close)


def read_seeds(settings: SelfInstructSettings) -> list[Task]:
    seeds = read_tasks(settings.seeds) if settings.seeds else shipped(settings.spoken)
    needed = settings.recipe.in_context
    if len(seeds) < needed:
        raise UserError(
            f"{settings.seeds} holds {len(seeds)} tasks, a prompt needs {needed}: add some, or "
            "--in_context"
        )
    return seeds


def instruction_rules(
    spoken: Language, templates: Templates, settings: SelfInstructSettings
) -> Rules:
    blocked = templates.words("blocked") + (
        templates.words("blocked_alpaca") if settings.mode == "alpaca" else ()
    )
    return rules(spoken, blocked=blocked, starts=templates.words("starts"))


def compared_with(seeds: Sequence[Task], settings: SelfInstructSettings) -> Novelty:
    """What new instructions are compared with: every seed, however alike they are, and the pool of
    an earlier run.
    """
    from datagen.filters.novelty import Novelty

    alphabet = "unicode" if language(settings.spoken).by_characters else "ascii"
    novelty = Novelty(settings.similarity, alphabet=alphabet, neighbours=NEIGHBOURS)
    for task in seeds:
        novelty.add(task.instruction, task.id)
    for name, text in Novelty.load(settings.pool / POOL).pool() if settings.pool else ():
        novelty.add(text, name)
    return novelty


def source_of(seeds: Sequence[Task], settings: SelfInstructSettings) -> dict[str, Any]:
    """What the configuration says of the seed tasks."""
    content = json.dumps([asdict(task) for task in seeds]).encode("utf-8", "surrogatepass")
    return {
        "suite": settings.seeds.stem if settings.seeds else f"seeds-{settings.spoken}",
        "hub": None,
        "split": None,
        "questions": len(seeds),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def recorded(asking: Asking, settings: SelfInstructSettings) -> dict[str, Any]:
    """The settings that decide the rows."""
    values = {name: getattr(settings, name) for name in CONFIGURED}
    return (
        values
        | asdict(settings.recipe)
        | {
            "pool": pool_sha256(settings.pool),
            "language": settings.spoken,
            "style": asking.style,
            "templates": asking.templates.fingerprint(),
        }
    )


def prompt_names(asking: Asking, settings: SelfInstructSettings) -> list[str]:
    """The templates that a mode uses."""
    if settings.mode == "alpaca":
        return ["alpaca"]
    if settings.mode == "unnatural":
        paraphrase = ["paraphrase"] if settings.paraphrases else []
        return ["unnatural", "unnatural_output", *paraphrase]
    opening = "instructions_chat" if asking.style == "chat" else "instructions"
    return [opening, "item", "classify", "output_first", "input_first", "with_input"]


def pool_sha256(run: Path | None) -> str | None:
    return hashlib.sha256((run / POOL).read_bytes()).hexdigest() if run else None


def summary(stats: dict[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    found, share, each = (
        stats["instructions"],
        stats["classification"],
        stats["instances_per_instruction"],
    )
    lines = [
        f"{stats['calls']:,} calls, {found['parsed']:,} instructions, {stats['answers']:,} answers "
        f"in {stats['seconds']:,} s",
        f"accepted:  {found['accepted']:,} instructions, {found['with_rows']:,} of them with "
        f"{stats['accepted']['instructions']:,} rows",
        f"rejected:  {counted(stats['rejected'])}",
        f"instances: {each:.2f} an instruction" if each is not None else "",
        f"classification: {share:.1%} of the instructions" if share is not None else "",
        spending(stats),
        f"written to {out}; next: datagen publish {out} NAME",
    ]
    return "\n".join(line for line in lines if line)
