"""Self-Instruct (arXiv 2212.10560): instructions bootstrapped from a few seed tasks, then their
inputs and outputs.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from datagen.instructions.self_instruct.instances import Candidate, Proposal, bare_row
from datagen.instructions.self_instruct.modes import Mode
from datagen.instructions.self_instruct.rules import Rules, check
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.run import FAILED
from datagen.schema import Accepted, Outcome, Rejected, Row, content_id
from datagen.sources.tasks import Task
from datagen.teacher.base import Completion, Request, Sampling, Teacher, TeacherError

if TYPE_CHECKING:
    from datagen.filters.novelty import Novelty

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4
"""Instructions whose instances may be under way, for each request that may be: some are rejected
and ask nothing."""


@dataclass(frozen=True)
class Plan:
    """What a run of Self-Instruct begins with, and how it asks and judges."""

    seeds: Sequence[Task]
    mode: Mode
    rules: Rules
    settings: SelfInstructSettings


async def self_instruct(
    teacher: Teacher, *, plan: Plan, novelty: Novelty, tally: Tally
) -> AsyncGenerator[list[Outcome]]:
    """Yield rows, an instruction's at a time, in the order of the calls.

    Args:
        teacher: who writes instructions and instances.
        plan: seeds, prompts, rules and settings.
        novelty: the pool that new instructions are compared with. It grows.
        tally: counts what the run did. It grows.

    Source: Self-Instruct, arXiv 2212.10560, section 2.
    """
    instructions = bootstrap(teacher, plan=plan, novelty=novelty, tally=tally)
    complete = partial(write_rows, teacher, mode=plan.mode, tally=tally)
    most = AHEAD * plan.settings.under_way

    async with aclosing(overlap(instructions, complete, most=most)) as finished:
        async for outcomes in finished:
            yield outcomes


async def bootstrap(
    teacher: Teacher, *, plan: Plan, novelty: Novelty, tally: Tally
) -> AsyncGenerator[Proposal | Rejected]:
    """Yield every proposal with its verdict.

    Each call shows seeds and the machine's own instructions. What is sound and new joins the pool
    that later calls draw from.
    """
    settings = plan.settings
    pool = Pool(plan.seeds)
    ask = partial(propose, teacher, mode=plan.mode, settings=settings)
    ahead = min(settings.lag, settings.under_way)

    async with aclosing(overlap(pool.calls(settings), ask, most=ahead)) as answers:
        async for proposals in answers:
            before = len(pool.machine)
            for proposal in proposals:
                verdict = judge(proposal, plan.rules, novelty)
                tally.judged(verdict)
                if isinstance(verdict, Proposal):
                    pool.machine.append(verdict.task)
                yield verdict
                if len(pool.machine) == settings.target:
                    return
            pool.sizes.append(len(pool.machine))
            if tally.fruitless(len(pool.machine) == before) == settings.patience:
                return


@dataclass(frozen=True)
class Call:
    """One request for more instructions, with the tasks that it shows."""

    number: int
    demonstrations: tuple[Task, ...]


@dataclass
class Pool:
    """Seeds, what the machine added, and how many that were after each call."""

    seeds: Sequence[Task]
    machine: list[Task] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    async def calls(self, settings: SelfInstructSettings) -> AsyncGenerator[Call]:
        """Calls without end."""
        for number in itertools.count():
            yield Call(number, self.demonstrations(number, settings))

    def demonstrations(self, number: int, settings: SelfInstructSettings) -> tuple[Task, ...]:
        """What call `number` shows: drawn from the pool after call `number` - lag, with a random
        stream of its own.
        """
        recipe, known = (
            settings.recipe,
            self.sizes[number - settings.lag] if number >= settings.lag else 0,
        )
        rng = Random(f"{settings.seed}:call:{number}")
        drawn = [self.machine[i] for i in rng.sample(range(known), min(recipe.machine, known))]
        drawn += rng.sample(self.seeds, recipe.in_context - len(drawn))
        rng.shuffle(drawn)
        return tuple(drawn)


async def propose(
    teacher: Teacher, call: Call, *, mode: Mode, settings: SelfInstructSettings
) -> list[Proposal | Rejected]:
    """What a call proposes.

    A call that failed, was cut off or says nothing that can be read is one rejected row.
    """
    recipe = settings.recipe
    sampling = Sampling(
        temperature=recipe.temperature,
        top_p=recipe.top_p,
        max_tokens=recipe.max_tokens,
        stop=mode.stop,
        seed=settings.seed,
    )
    make = partial(
        Proposal, method=settings.mode, parents=tuple(task.id for task in call.demonstrations)
    )
    whole = bare_row(make(Candidate(""))) | {"id": content_id("call", settings.seed, call.number)}
    try:
        # sample number i of its prompt, so that two calls with the same demonstrations say
        # different things
        request = Request(mode.prompt(call.demonstrations), first=call.number, sampling=sampling)
        (answer,) = await teacher.complete(request)
    except TeacherError as error:
        return [Rejected(whole | {"finish_reason": str(error)}, FAILED)]
    return read(answer, mode, make, whole, cut_off=recipe.cut_off)


def read(
    answer: Completion, mode: Mode, make: Callable[..., Proposal], whole: Row, *, cut_off: str
) -> list[Proposal | Rejected]:
    """The proposals in an answer; what was cut off by length loses all of them, or the last."""
    cut = answer.finish_reason == "length"
    found: list[Proposal | Rejected] = [
        make(candidate, finish_reason=answer.finish_reason) for candidate in mode.read(answer.text)
    ]
    if not found or (cut and cut_off == "all"):
        row = whole | {"output": answer.text, "finish_reason": answer.finish_reason}
        return [Rejected(row, "truncated" if cut else "unparseable")]
    if cut and isinstance(last := found[-1], Proposal):
        found[-1] = Rejected(bare_row(last), "truncated")
    return found


def judge(proposal: Proposal | Rejected, rules: Rules, novelty: Novelty) -> Proposal | Rejected:
    """Through the rules, then compared with the seeds and the pool; the ten nearest are told of
    what is too similar.
    """
    if isinstance(proposal, Rejected):
        return proposal
    reason = check(proposal.candidate.instruction, rules)
    if reason:
        return Rejected(bare_row(proposal), reason)
    verdict = novelty.admit(proposal.candidate.instruction, proposal.id)
    proposal = replace(proposal, nearest=tuple(verdict.nearest))
    if verdict.novel:
        return proposal
    told = "; ".join(f"{similarity:.3f} {other}" for similarity, other in proposal.nearest)
    return Rejected(bare_row(proposal, detail=told or None), verdict.reason or "similar")


async def write_rows(
    teacher: Teacher, judged: Proposal | Rejected, *, mode: Mode, tally: Tally
) -> list[Outcome]:
    """The rows of an instruction that was accepted; one that was not is passed on."""
    if isinstance(judged, Rejected):
        return [judged]
    try:
        outcomes = await mode.complete(teacher, judged)
    except TeacherError as error:
        outcomes = [Rejected(bare_row(judged, finish_reason=str(error)), FAILED)]
    tally.completed(outcomes)
    return outcomes


@dataclass
class Tally:
    """What a run counts besides rows, and why it ended."""

    calls: int = 0
    """Calls for instructions that were judged."""
    fruitless_in_a_row: int = 0
    parsed: int = 0
    accepted: int = 0
    with_rows: int = 0
    """Accepted instructions of which at least one instance is sound."""
    rows: int = 0
    """Sound instances, other wordings left out."""
    classified: list[bool] = field(default_factory=list)

    def judged(self, verdict: Proposal | Rejected) -> None:
        self.accepted += isinstance(verdict, Proposal)
        self.parsed += isinstance(verdict, Proposal) or bool(verdict.row["instruction"])

    def fruitless(self, fruitless: bool) -> int:
        """Count a call; return how many in a row gave nothing."""
        self.calls += 1
        self.fruitless_in_a_row = self.fruitless_in_a_row + 1 if fruitless else 0
        return self.fruitless_in_a_row

    def completed(self, outcomes: Sequence[Outcome]) -> None:
        sound = sum(isinstance(o, Accepted) and not o.row.get("operation") for o in outcomes)
        self.rows += sound
        self.with_rows += sound > 0
        label = outcomes[0].row.get("is_classification")
        self.classified += [] if label is None else [label]

    def report(self, target: int) -> dict[str, Any]:
        """For stats.json.

        `classification` is a share of the accepted instructions that were classified.
        """
        reached = self.accepted >= target
        return {
            "ended": "target" if reached else "patience",
            "calls": self.calls + reached,
            "instructions": {
                "parsed": self.parsed,
                "accepted": self.accepted,
                "with_rows": self.with_rows,
            },
            "classification": mean(sum(self.classified), len(self.classified)),
            "instances_per_instruction": mean(self.rows, self.with_rows),
        }


def mean(total: int, count: int) -> float | None:
    return round(total / count, 4) if count else None


async def overlap(
    items: AsyncGenerator[Item], work: Callable[[Item], Awaitable[Result]], *, most: int
) -> AsyncGenerator[Result]:
    """`work` on up to `most` items at once, while the items keep coming; results in the order of
    the items.

    Item i is drawn once the consumer is done with result i - `most`. Closing it cancels what is
    under way.
    """
    room, started = asyncio.Semaphore(most), asyncio.Queue[asyncio.Task[Result] | None]()
    tasks = set[asyncio.Task[Result]]()

    async def run(item: Item) -> Result:
        return await work(item)

    async def start() -> None:
        try:
            while await room.acquire():
                task = asyncio.create_task(run(await anext(items)))
                tasks.add(task)
                started.put_nowait(task)
        except StopAsyncIteration:
            pass
        finally:
            started.put_nowait(None)

    feeder = asyncio.create_task(start())
    try:
        while (task := await started.get()) is not None:
            yield await task
            tasks.discard(task)
            room.release()
        await feeder
    finally:
        for unfinished in (feeder, *tasks):
            unfinished.cancel()
        await asyncio.gather(feeder, *tasks, return_exceptions=True)
        await items.aclose()
