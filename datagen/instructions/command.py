"""`datagen self-instruct`: seed tasks in, a run folder out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datagen
from datagen.errors import UserError
from datagen.instructions.asking import Asking
from datagen.instructions.language import Language, language
from datagen.instructions.modes import Mode, mode
from datagen.instructions.rules import Rules, rules
from datagen.instructions.self_instruct import Pool, Tally, self_instruct
from datagen.instructions.settings import Recipe, SelfInstructSettings
from datagen.instructions.tasks import Task, read_tasks, shipped
from datagen.instructions.templates import Templates
from datagen.run import Run
from datagen.teacher import Request, Sampling
from datagen.teacher.budget import spending
from datagen.teacher.forecast import preview

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


def self_instruct_command(settings: SelfInstructSettings) -> None:
    """Run, and print what came of it. Raises UserError, also when the target was not reached."""
    spoken = language(settings.spoken)
    asking = Asking(Templates(spoken.name, settings.templates), settings.asked_in, settings.seed)
    seeds = read_seeds(settings)
    asked = instruction_rules(spoken, asking.templates, settings)
    chosen = mode(asking, asked, settings)
    if settings.dry_run:
        forecast(seeds, chosen, settings)
        return
    out = settings.out or Path("runs") / f"{settings.mode}-{spoken.name}"
    stats = asyncio.run(generate(seeds, chosen, asked, asking, settings, out))
    print(summary(stats, out))
    if stats["ended"] == "patience":
        accepted = stats["instructions"]["accepted"]
        raise UserError(
            f"the last {settings.patience} calls gave no new instruction, so the run ended at {accepted:,} of "
            f"{settings.target:,}; what there is, is in {out}. Give it more seeds, a higher --temperature or --patience"
        )


async def generate(
    seeds: list[Task],
    chosen: Mode,
    asked: Rules,
    asking: Asking,
    settings: SelfInstructSettings,
    out: Path,
) -> dict[str, Any]:
    teacher = settings.connect(out)
    await asyncio.to_thread(lambda: teacher.identity)
    tally, novelty = Tally(settings), compared_with(seeds, settings)
    produce = partial(
        self_instruct, seeds=seeds, mode=chosen, rules=asked, novelty=novelty, tally=tally
    )
    config = configuration(seeds, asking, settings, teacher.name, teacher.identity)

    def close(items: object) -> dict[str, Any]:
        novelty.save(out / POOL)
        return tally.report()

    with Run(out, config, family="instructions", account=settings.account()) as run:
        return await run.stream(produce, teacher=teacher, total=settings.target, statistics=close)


def read_seeds(settings: SelfInstructSettings) -> list[Task]:
    seeds = read_tasks(settings.seeds) if settings.seeds else shipped(settings.spoken)
    needed = settings.recipe.in_context
    if len(seeds) < needed:
        raise UserError(
            f"{settings.seeds} holds {len(seeds)} tasks, a prompt needs {needed}: add some, or --in_context"
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
    an earlier run."""
    from datagen.filters.novelty import Novelty

    alphabet = "unicode" if language(settings.spoken).by_characters else "ascii"
    novelty = Novelty(settings.similarity, alphabet=alphabet, neighbours=NEIGHBOURS)
    for task in seeds:
        novelty.add(task.instruction, task.id)
    for name, text in Novelty.load(settings.pool / POOL).pool() if settings.pool else ():
        novelty.add(text, name)
    return novelty


def configuration(
    seeds: Sequence[Task],
    asking: Asking,
    settings: SelfInstructSettings,
    teacher: str,
    identity: str,
) -> dict[str, Any]:
    """What decides the rows, and nothing else: no machine paths, no keys, no speed settings."""
    recipe: Recipe = settings.recipe
    digest = hashlib.sha256(
        json.dumps([asdict(task) for task in seeds]).encode("utf-8", "surrogatepass")
    )
    return {
        "method": settings.mode,
        "code_version": datagen.__version__,
        "teacher": {"name": teacher, "identity": identity, "license": None},
        "source": {
            "suite": settings.seeds.stem if settings.seeds else f"seeds-{settings.spoken}",
            "hub": None,
            "split": None,
            "questions": len(seeds),
            "sha256": digest.hexdigest(),
        },
        "settings": {name: getattr(settings, name) for name in CONFIGURED}
        | asdict(recipe)
        | {
            "pool": pool_sha256(settings.pool),
            "language": settings.spoken,
            "style": asking.style,
            "templates": asking.templates.fingerprint(),
        },
    }


def pool_sha256(run: Path | None) -> str | None:
    return hashlib.sha256((run / POOL).read_bytes()).hexdigest() if run else None


def forecast(seeds: list[Task], chosen: Mode, settings: SelfInstructSettings) -> None:
    """The calls for instructions, and those that complete each: classification and instances, or
    output and words."""
    more = {"self-instruct": 2, "alpaca": 0, "unnatural": 1 + (settings.paraphrases > 0)}[
        settings.mode
    ]
    calls = math.ceil(settings.target / settings.recipe.per_call) + more * settings.target
    sampling = Sampling(max_tokens=settings.recipe.max_tokens)
    prompts = [chosen.prompt(Pool(seeds).demonstrations(number, settings)) for number in range(2)]
    asked = [Request(prompt, sampling=sampling) for prompt in prompts]
    what = f"{len(seeds)} seeds, {settings.target:,} instructions wanted of {settings.teacher}"
    preview(asked, what, settings, calls=calls, bound="at least ")


def summary(stats: dict[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    rejected = (
        ", ".join(f"{reason} {number:,}" for reason, number in stats["rejected"].items()) or "none"
    )
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
        f"rejected:  {rejected}",
        f"instances: {each:.2f} an instruction" if each is not None else "",
        f"classification: {share:.1%} of the instructions" if share is not None else "",
        spending(stats),
        f"written to {out}; next: datagen publish {out} NAME",
    ]
    return "\n".join(line for line in lines if line)
