"""`datagen evol-instruct`: instructions in, their evolutions out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from datagen.commands import check
from datagen.errors import UserError
from datagen.instructions import session
from datagen.instructions.eliminate import Eliminator
from datagen.instructions.evol_instruct import (
    METHOD,
    Evolution,
    evolve,
    failed,
    operation,
    statistics,
)
from datagen.instructions.prompts import prompts_of, source_of
from datagen.instructions.tasks import instructions_from
from datagen.instructions.templates import Templates
from datagen.teacher import Request, Sampling
from datagen.teacher.forecast import preview


@dataclass(frozen=True)
class EvolSettings(session.InstructionSettings):
    """Rewrite instructions into harder and rarer ones, round after round, with responses."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """Instructions to begin with: a run folder, a dataset version (NAME or NAME@VERSION), a Parquet
    or JSONL file."""
    limit: int | None = None
    """Begin with the first LIMIT instructions only."""
    rounds: int = 4
    """Evolutions tried one after the other on every instruction."""
    weights: str = ""
    """How often operations (the templates in `evolve/`) are drawn beside the others, such as
    "breadth=2,deepen=0.5". Those not named have 1; 0 leaves one out."""
    keep_seeds: bool = True
    """Whether the instructions one began with are rows too, as round 0, with the teacher's
    response."""
    temperature: float = 1.0
    """Of the rewriting."""
    top_p: float = 0.95
    response_temperature: float = 1.0
    """Of the responses; 0 is greedy. The judgement is always greedy."""
    max_tokens: int = 2048
    """Longest text the teacher may write. What is cut off there is rejected."""
    refusal_words: int = 80
    """A response with a refusal in it is rejected when it is shorter than this, in words (Chinese:
    characters)."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        super().__post_init__()
        check(
            self,
            limit=(self.limit is None or self.limit >= 1, "at least 1"),
            rounds=(self.rounds >= 1, "at least 1"),
            temperature=(self.temperature >= 0, "0 or more"),
            top_p=(0 < self.top_p <= 1, "above 0 and at most 1"),
            response_temperature=(self.response_temperature >= 0, "0 or more"),
            max_tokens=(self.max_tokens >= 1, "at least 1"),
            refusal_words=(self.refusal_words >= 0, "0 or more"),
        )


def evol_instruct(settings: EvolSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    how = evolution_of(settings)
    prompts = prompts_of(instructions_from(settings.source)[: settings.limit], how.templates)
    if settings.dry_run:
        asked = [
            Request(
                how.templates.messages(
                    f"evolve/{operation(prompt, 1, how)}", instruction=prompt.text
                ),
                sampling=how.rewriting,
            )
            for prompt in prompts
        ]
        what = f"{len(prompts)} instructions × {settings.rounds} rounds to {settings.teacher}"
        preview(
            asked,
            what,
            settings,
            calls=len(prompts) * (3 * settings.rounds + settings.keep_seeds),
            bound="at most ",
        )
        return
    run = session.run_each(
        METHOD,
        prompts,
        partial(evolve, evolution=how),
        settings=settings,
        templates=how.templates,
        source=source_of(settings.source, prompts),
        describe=failed,
        statistics=statistics,
    )
    print(asyncio.run(run))


def evolution_of(settings: EvolSettings) -> Evolution:
    templates, language = session.words(settings)
    sampling = partial(Sampling, max_tokens=settings.max_tokens, seed=settings.seed)
    return Evolution(
        templates=templates,
        eliminator=Eliminator(templates, language, refusal_words=settings.refusal_words),
        weights=read_weights(settings.weights, templates),
        rounds=settings.rounds,
        keep_seeds=settings.keep_seeds,
        rewriting=sampling(temperature=settings.temperature, top_p=settings.top_p),
        answering=sampling(temperature=settings.response_temperature, top_p=settings.top_p),
        judging=sampling(temperature=0.0),
    )


def read_weights(text: str, templates: Templates) -> dict[str, float]:
    """The weight of every operation there is a template for; of those not named, 1. Raises
    UserError."""
    weights = dict.fromkeys(templates.names("evolve"), 1.0)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in weights:
            raise UserError(
                f"--weights {part}: no operation {name!r}; there are {', '.join(weights)}"
            )
        weights[name] = weight(value, part)
    if not sum(weights.values()) > 0:
        raise UserError(f"--weights {text}: at least one operation must have a weight above 0")
    return weights


def weight(value: str, part: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise UserError(f"--weights {part}: give OPERATION=NUMBER, with a number of 0 or more")
    return number
