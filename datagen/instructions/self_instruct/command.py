"""`datagen self-instruct`: reads seed tasks, and writes a run folder of new instructions."""

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
from datagen.instructions.self_instruct.generate import Plan, self_instruct
from datagen.instructions.self_instruct.modes import mode
from datagen.instructions.self_instruct.pool import Pool
from datagen.instructions.self_instruct.rules import Rules, rules
from datagen.instructions.self_instruct.seed_tasks import shipped_seeds
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.instructions.self_instruct.tally import Tally
from datagen.prompts.language import Language, language
from datagen.prompts.templates import Templates, recorded_prompts
from datagen.run.job import Incomplete, Job, RunResult, counted, run_job, source_lines
from datagen.run.open_run import OpenRun
from datagen.sources.tally import SourceTally
from datagen.sources.tasks import Task, read_tasks
from datagen.teacher import Request, Sampling, Teacher
from datagen.teacher.chat.kept import reasoning_lines, without_default
from datagen.teacher.cost.budget import format_spending
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
    "reasoning",
)
"""Settings that the configuration records as they are. The others change no row, or are recorded in
another form."""
NEIGHBOURS = 10
"""Most similar instructions that a row names, as in the released code."""
POOL_FILE = "novelty.jsonl"
"""The pool of all instructions, which a finished run leaves in its folder for `--pool`."""


def run_self_instruct(settings: SelfInstructSettings) -> RunResult:
    """Write new instructions until the target is reached.

    Raises:
        UserError: seeds or settings cannot be used.
        Incomplete: patience ended before the target. What was found is kept.
    """
    tally = SourceTally()
    plan, asking = plan_of(settings, tally)
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
            read=tally.counts(),
            settings=recorded(asking, settings),
            prompts=recorded_prompts(asking.templates, prompt_names(asking, settings)),
            work=partial(write_instructions, plan=plan, novelty=novelty),
            summarise=summary,
        )
    )
    # the run is complete in its folder; only the exit status says that it is short
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
    """Return what a run would ask and cost. Raises UserError."""
    tally = SourceTally()
    plan, _ = plan_of(settings, tally)
    recipe = settings.recipe
    sampling = Sampling(max_tokens=recipe.max_tokens)
    pool = Pool(plan.seeds)
    # a later call would draw from a pool that is not there yet
    known = range(min(2, settings.lag))
    prompts = [plan.mode.prompt(pool.demonstrations(number, settings)) for number in known]
    asked = [Request(prompt, sampling=sampling) for prompt in prompts]

    # after the calls for instructions come those that complete each: classification and instances,
    # or output and other wordings
    by_mode = {"self-instruct": 2, "alpaca": 0, "unnatural": 1 + (settings.paraphrases > 0)}
    more = by_mode[settings.mode]
    calls = math.ceil(settings.target / recipe.per_call) + more * settings.target
    seeds = len(plan.seeds)
    what = f"{seeds} seeds, {settings.target:,} instructions wanted of {settings.teacher}"
    notes = tally.lines()
    return forecast_of(asked, what, settings, calls=calls, bound="at least ", notes=notes)


def plan_of(settings: SelfInstructSettings, tally: SourceTally) -> tuple[Plan, Asking]:
    """Return seeds, prompts and rules of these settings. Raises UserError."""
    spoken = language(settings.spoken)
    templates = Templates(spoken.name, settings.templates)
    asking = Asking(templates, settings.asked_in, settings.seed, settings.reasoning)
    rules = instruction_rules(spoken, asking.templates, settings)
    seeds = read_seeds(settings, tally)
    return Plan(seeds, mode(asking, rules, settings), rules, settings), asking


async def write_instructions(
    run: OpenRun, teacher: Teacher, *, plan: Plan, novelty: Novelty
) -> dict[str, Any]:
    """Fill the run, and leave the pool of all instructions in its folder. Return the statistics."""
    tally = Tally()

    def statistics(items: object) -> dict[str, Any]:
        # saved before the statistics, which say that the folder is whole
        novelty.save(run.path / POOL_FILE)
        return tally.report(plan.settings.target)

    produce = partial(self_instruct, plan=plan, novelty=novelty, tally=tally)
    return await run.stream(
        produce, teacher=teacher, total=plan.settings.target, statistics=statistics
    )


def read_seeds(settings: SelfInstructSettings, tally: SourceTally) -> list[Task]:
    """Return the seed tasks. Raises UserError if there are fewer than a prompt shows."""
    seeds = read_tasks(settings.seeds, tally) if settings.seeds else shipped_seeds(settings.spoken)
    # the first prompts show nothing but seeds
    needed = settings.recipe.in_context
    if len(seeds) < needed:
        raise UserError(
            f"{settings.seeds} holds {len(seeds)} tasks, a prompt needs {needed}: add some, or "
            "ask for fewer with --in_context"
        )
    return seeds


def instruction_rules(
    spoken: Language, templates: Templates, settings: SelfInstructSettings
) -> Rules:
    """Return the rules that reject an instruction. Alpaca has further blocked words."""
    blocked = templates.words("blocked")
    if settings.mode == "alpaca":
        blocked += templates.words("blocked_alpaca")
    return rules(spoken, blocked=blocked, starts=templates.words("starts"))


def compared_with(seeds: Sequence[Task], settings: SelfInstructSettings) -> Novelty:
    """Return the pool for comparison: all seeds, and the pool of an earlier run."""
    from datagen.filters.novelty import Novelty

    # Chinese has no ASCII tokens; English follows the paper, which compares ASCII tokens only
    alphabet = "unicode" if language(settings.spoken).by_characters else "ascii"
    novelty = Novelty(settings.similarity, alphabet=alphabet, neighbours=NEIGHBOURS)
    for task in seeds:
        # seeds count as known even where they resemble each other
        novelty.add(task.instruction, task.id)
    if settings.pool:
        for name, text in Novelty.load(settings.pool / POOL_FILE).pool():
            novelty.add(text, name)
    return novelty


def source_of(seeds: Sequence[Task], settings: SelfInstructSettings) -> dict[str, Any]:
    """Return what the configuration says of the seed tasks: their number, and a hash of them."""
    content = json.dumps([asdict(task) for task in seeds]).encode("utf-8", "surrogatepass")
    return {
        "suite": settings.seeds.stem if settings.seeds else f"seeds-{settings.spoken}",
        "hub": None,
        "split": None,
        "questions": len(seeds),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def recorded(asking: Asking, settings: SelfInstructSettings) -> dict[str, Any]:
    """Return the settings that decide the rows."""
    values = {name: getattr(settings, name) for name in CONFIGURED}
    return (
        without_default(settings, values)
        | asdict(settings.recipe)
        | {
            "pool": pool_sha256(settings.pool),
            "language": settings.spoken,
            "style": asking.style,
            "templates": asking.templates.fingerprint(),
        }
    )


def prompt_names(asking: Asking, settings: SelfInstructSettings) -> list[str]:
    """Return the names of the templates that a mode uses."""
    if settings.mode == "alpaca":
        return ["alpaca"]
    if settings.mode == "unnatural":
        paraphrase = ["paraphrase"] if settings.paraphrases else []
        return ["unnatural", "unnatural_output", *paraphrase]
    opening = "instructions_chat" if asking.style == "chat" else "instructions"
    return [opening, "item", "classify", "output_first", "input_first", "with_input"]


def pool_sha256(run: Path | None) -> str | None:
    """Return a hash of an earlier run's pool: another pool accepts other instructions."""
    return hashlib.sha256((run / POOL_FILE).read_bytes()).hexdigest() if run else None


def summary(stats: dict[str, Any], out: Path) -> str:
    """Return the closing lines of a run."""
    found = stats["instructions"]
    rows = stats["accepted"]["instructions"]
    lines = [
        f"{stats['calls']:,} calls, {found['parsed']:,} instructions, {stats['answers']:,} answers "
        f"in {stats['seconds']:,} s",
        f"accepted:  {found['accepted']:,} instructions, {found['with_rows']:,} of them with "
        f"{rows:,} rows",
        f"rejected:  {counted(stats['rejected'])}",
    ]

    each = stats["instances_per_instruction"]
    if each is not None:
        lines.append(f"instances: {each:.2f} an instruction")
    share = stats["classification"]
    if share is not None:
        lines.append(f"classification: {share:.1%} of the instructions")

    lines += reasoning_lines(stats)
    lines += [format_spending(stats), *source_lines(stats)]
    lines.append(f"written to {out}; next: datagen publish {out} NAME")
    return "\n".join(line for line in lines if line)
