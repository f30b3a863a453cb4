"""Demonstrations that the teacher writes itself: from the task's description and a few examples,
kept where it agrees with what it wrote.

A written input is put back to the teacher several times, each time after other demonstrations; the
pair enters the pool where the written output is the answer often enough (self-consistency, arXiv
2203.11171; self-generated demonstrations, arXiv 2206.08082).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

from datagen.answers.matching import matches
from datagen.demonstrations.generate import DoesNotFit, Plan, Shown, ask
from datagen.demonstrations.pools import Example, Pool, Query, example, same_input
from datagen.prompts.episodes import Format, Pair
from datagen.teacher import Request, Sampling, Teacher

SHOWN = 4
"""Examples in view while the teacher writes."""
TOKENS = 256
"""Longest demonstration, in tokens."""


class Written:
    """The pools of a run with what the teacher wrote for them; each is written once, when its first
    query comes.
    """

    def __init__(self) -> None:
        self._pools: dict[str, asyncio.Future[Pool]] = {}

    async def __call__(self, pool: Pool, teacher: Teacher, plan: Plan) -> Pool:
        if not plan.settings.generate:
            return pool
        if pool.task not in self._pools:
            self._pools[pool.task] = asyncio.ensure_future(grown(pool, teacher, plan))
        return await asyncio.shield(self._pools[pool.task])


async def grown(pool: Pool, teacher: Teacher, plan: Plan) -> Pool:
    """The pool and, behind its candidates, the confirmed ones of `generate` demonstrations that the
    teacher wrote.
    """
    number = plan.settings.generate
    texts = await asyncio.gather(*(write(pool, teacher, n, plan) for n in range(number)))
    new = fresh(pool, [plan.format.pair(text) for text in texts])
    agreed = await asyncio.gather(*(agreement(pool, e, teacher, plan) for e in new))
    kept = [e for e, share in zip(new, agreed, strict=True) if share >= plan.settings.agreement]
    return replace(pool, candidates=(*pool.candidates, *kept))


async def write(pool: Pool, teacher: Teacher, number: int, plan: Plan) -> str:
    """What the teacher says when asked for another demonstration."""
    settings = plan.settings
    rng = Random(f"{settings.seed}:{pool.task}:write:{number}")
    shown = rng.sample(pool.candidates, min(SHOWN, len(pool.candidates)))
    pairs = [(e.input, e.output) for e in shown]
    prompt = writing_prompt(
        plan.format, pairs, pool.description, plain=settings.prompt_style == "plain"
    )
    stop = plan.format.stop(style=settings.prompt_style)
    sampling = Sampling(temperature=1.0, max_tokens=TOKENS, stop=stop, seed=settings.seed)
    return (await teacher.complete(Request(prompt, first=number, sampling=sampling)))[0].text


def writing_prompt(
    format: Format, pairs: list[Pair], description: str, *, plain: bool
) -> str | tuple[tuple[str, str]]:
    """A base model goes on with the list of examples; a chat model is asked for one more."""
    shown = format.text(pairs, "", description=description).removesuffix(format.layout.between)
    if plain:
        return shown
    examples = shown.removesuffix(format.layout.before).rstrip()
    return (
        (
            "user",
            f"{examples}\n\nWrite one more example of this task, in the same form and unlike "
            "those above.",
        ),
    )


def fresh(pool: Pool, pairs: list[Pair | None]) -> list[Example]:
    """Examples of the pairs whose input is new and whose output the task can have; one an input."""
    taken = {same_input(e.input) for e in (*pool.candidates, *pool.train, *pool.test)}
    found: list[Example] = []
    for x, y in (pair for pair in pairs if pair is not None):
        if same_input(x) not in taken and (not pool.options or y in pool.options):
            taken.add(same_input(x))
            found.append(example(pool.task, x, y, generated=True))
    return found


async def agreement(pool: Pool, written: Example, teacher: Teacher, plan: Plan) -> float:
    """The share of `votes` predictions, each after other demonstrations, that give the written
    output.
    """
    query, number, agreeing = (
        Query(pool, written, 0),
        min(max(plan.settings.ks), len(pool.candidates)),
        0,
    )
    for vote in range(plan.settings.votes):
        rng = Random(f"{plan.settings.seed}:{written.id}:confirm:{vote}")
        shown = Shown(tuple(rng.sample(pool.candidates, number)), written.output)
        try:
            answer = await ask(query, teacher, shown, plan=plan)
        except DoesNotFit:
            return 0.0
        agreeing += matches(answer.prediction, written.output)
    return agreeing / plan.settings.votes
