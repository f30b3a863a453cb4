"""Demonstrations that the teacher writes itself.

It writes them from the task's description and a few examples. Then the written input is put back to
it several times, each time after other demonstrations. The pair joins the pool if the written
output is the answer often enough.

Source: self-generated demonstrations, arXiv 2206.08082; self-consistency, arXiv 2203.11171.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

from datagen.answers.matching import matches
from datagen.demonstrations.episode import DoesNotFit, Episode, Plan
from datagen.demonstrations.generate import ask
from datagen.demonstrations.pools import Example, Pool, Query, example, same_input
from datagen.prompts.episodes import Format, Pair
from datagen.teacher import Messages, Request, Sampling, Teacher

SHOWN = 4
"""Examples in the prompt while the teacher writes. Enough to show the form of the task; each
further one would cost tokens in every request."""
TOKENS = 256
"""Longest written demonstration, in tokens. It bounds the cost of a text that never ends."""


class Written:
    """The pools of a run, with what the teacher wrote for them.

    A pool grows once, when its first query comes. Later queries wait for it.
    """

    def __init__(self) -> None:
        self._pools: dict[str, asyncio.Future[Pool]] = {}

    async def __call__(self, pool: Pool, teacher: Teacher, plan: Plan) -> Pool:
        """Return the pool with written demonstrations."""
        if not plan.settings.generate:
            return pool
        if pool.task not in self._pools:
            self._pools[pool.task] = asyncio.ensure_future(grow(pool, teacher, plan))
        # a query that is cancelled does not cancel what other queries wait for
        return await asyncio.shield(self._pools[pool.task])


async def grow(pool: Pool, teacher: Teacher, plan: Plan) -> Pool:
    """Return the pool, with confirmed demonstrations behind its candidates."""
    numbers = range(plan.settings.generate)
    texts = await asyncio.gather(*(write(pool, teacher, number, plan) for number in numbers))
    new = new_examples(pool, [plan.format.pair(text) for text in texts])

    shares = await asyncio.gather(*(agreement(pool, e, teacher, plan) for e in new))
    pairs = zip(new, shares, strict=True)
    kept = [e for e, share in pairs if share >= plan.settings.agreement]
    return replace(pool, candidates=(*pool.candidates, *kept))


async def write(pool: Pool, teacher: Teacher, number: int, plan: Plan) -> str:
    """Return the teacher's text when it is asked for one more demonstration."""
    settings = plan.settings
    rng = Random(f"{settings.seed}:{pool.task}:write:{number}")
    examples = rng.sample(pool.candidates, min(SHOWN, len(pool.candidates)))
    pairs = [(e.input, e.output) for e in examples]

    is_plain = settings.prompt_style == "plain"
    prompt = writing_prompt(plan.format, pairs, pool.description, plain=is_plain)
    stop = plan.format.stop(style=settings.prompt_style)
    # temperature 1: the demonstrations are meant to differ
    sampling = Sampling(temperature=1.0, max_tokens=TOKENS, stop=stop, seed=settings.seed)
    (completion,) = await teacher.complete(Request(prompt, first=number, sampling=sampling))
    return completion.text


def writing_prompt(
    format: Format, pairs: list[Pair], description: str, *, plain: bool
) -> str | Messages:
    """Return the prompt for one more demonstration.

    Args:
        format: of the episodes.
        pairs: examples to show.
        description: of the task.
        plain: whether a base model is asked. It goes on with the list of examples by itself.
    """
    text = format.text(pairs, "", description=description).removesuffix(format.layout.between)
    if plain:
        return text
    examples = text.removesuffix(format.layout.before).rstrip()
    wish = "Write one more example of this task, in the same form and unlike those above."
    return (("user", f"{examples}\n\n{wish}"),)


def new_examples(pool: Pool, pairs: list[Pair | None]) -> list[Example]:
    """Return the pairs with a new input, and an output that the task can have."""
    taken = {same_input(e.input) for e in (*pool.candidates, *pool.train, *pool.test)}
    found: list[Example] = []
    for x, y in (pair for pair in pairs if pair is not None):
        if same_input(x) not in taken and (not pool.options or y in pool.options):
            taken.add(same_input(x))
            found.append(example(pool.task, x, y, generated=True))
    return found


async def agreement(pool: Pool, written: Example, teacher: Teacher, plan: Plan) -> float:
    """Return the share of predictions that give the written output, from 0 to 1.

    Each prediction follows other demonstrations. The share is 0 if the input fits no prompt.
    """
    query = Query(pool, written, 0)
    k = min(max(plan.settings.ks), len(pool.candidates))
    agreeing = 0
    for number in range(plan.settings.votes):
        rng = Random(f"{plan.settings.seed}:{written.id}:confirm:{number}")
        asked = Episode(tuple(rng.sample(pool.candidates, k)), written.output)
        try:
            answer = await ask(query, teacher, asked, plan=plan)
        except DoesNotFit:
            return 0.0
        agreeing += matches(answer.prediction, written.output)
    return agreeing / plan.settings.votes
