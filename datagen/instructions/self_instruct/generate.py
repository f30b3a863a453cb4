"""Self-Instruct: instructions bootstrapped from a few seed tasks, then their inputs and outputs.

Each call shows a few demonstrations and asks for new instructions. What is sound and new joins the
pool that later calls draw their demonstrations from.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from datagen.instructions.overlap import overlap
from datagen.instructions.self_instruct.instances import Candidate, Proposal, bare_row
from datagen.instructions.self_instruct.modes import Mode
from datagen.instructions.self_instruct.pool import Call, Pool
from datagen.instructions.self_instruct.rules import Rules, broken_rule
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.instructions.self_instruct.tally import Tally
from datagen.run import FAILED
from datagen.schema import Outcome, Rejected, Row, content_id
from datagen.sources.tasks import Task
from datagen.teacher.base import Completion, Request, Sampling, Teacher, TeacherError
from datagen.teacher.chat.kept import cut_column

if TYPE_CHECKING:
    from datagen.filters.novelty import Novelty

AHEAD = 4
"""Instructions whose instances may be under way, for each request that may be. Rejected ones ask
nothing, so with fewer the teacher would wait."""


@dataclass(frozen=True)
class Plan:
    """What a run starts with, and how it asks and screens."""

    seeds: Sequence[Task]
    mode: Mode
    rules: Rules
    settings: SelfInstructSettings


async def self_instruct(
    teacher: Teacher, *, plan: Plan, novelty: Novelty, tally: Tally
) -> AsyncGenerator[list[Outcome]]:
    """Yield the rows of one instruction after another, in the order of the calls.

    Args:
        teacher: who writes instructions and instances.
        plan: seeds, prompts, rules and settings.
        novelty: the pool that new instructions are compared with. It grows.
        tally: counts what the run did. It grows.

    Source:
        Self-Instruct, arXiv 2212.10560, section 2.
    """
    instructions = bootstrap(teacher, plan=plan, novelty=novelty, tally=tally)
    complete = partial(write_rows, teacher, mode=plan.mode, tally=tally)
    most = AHEAD * plan.settings.under_way

    async with aclosing(overlap(instructions, complete, most=most)) as completed:
        async for outcomes in completed:
            yield outcomes


async def bootstrap(
    teacher: Teacher, *, plan: Plan, novelty: Novelty, tally: Tally
) -> AsyncGenerator[Proposal | Rejected]:
    """Yield every proposal, accepted or rejected, until the target or the end of patience."""
    settings = plan.settings
    pool = Pool(plan.seeds)
    ask = partial(propose, teacher, mode=plan.mode, settings=settings)
    # a call needs the pool as it was `lag` calls ago, so no more than that can be under way
    ahead = min(settings.lag, settings.under_way)

    async with aclosing(overlap(pool.calls(settings), ask, most=ahead)) as answers:
        async for proposals in answers:
            before = len(pool.machine)
            for proposal in proposals:
                screened = screen(proposal, plan.rules, novelty)
                tally.count_proposal(screened)
                if isinstance(screened, Proposal):
                    pool.machine.append(screened.task)
                yield screened
                if len(pool.machine) == settings.target:
                    return

            pool.sizes.append(len(pool.machine))
            fruitless = len(pool.machine) == before
            if tally.count_call(fruitless=fruitless) == settings.patience:
                return


async def propose(
    teacher: Teacher, call: Call, *, mode: Mode, settings: SelfInstructSettings
) -> list[Proposal | Rejected]:
    """Return the instructions that a call proposes.

    A call that failed, or whose answer cannot be read, is one rejected row.
    """
    recipe = settings.recipe
    sampling = Sampling(
        temperature=recipe.temperature,
        top_p=recipe.top_p,
        max_tokens=recipe.max_tokens,
        stop=mode.stop,
        seed=settings.seed,
    )
    parents = tuple(task.id for task in call.demonstrations)
    make = partial(Proposal, method=settings.mode, parents=parents)
    call_row = bare_row(make(Candidate(""))) | {
        "id": content_id("call", settings.seed, call.number)
    }

    # sample number i of its prompt: two calls with the same demonstrations get different answers
    request = Request(mode.prompt(call.demonstrations), first=call.number, sampling=sampling)
    try:
        (answer,) = await teacher.complete(request)
    except TeacherError as error:
        return [Rejected(call_row | {"finish_reason": str(error)}, FAILED)]
    return read(answer, mode, make, call_row, cut_off=recipe.cut_off)


def read(
    answer: Completion, mode: Mode, make: Callable[..., Proposal], call_row: Row, *, cut_off: str
) -> list[Proposal | Rejected]:
    """Return the proposals in an answer.

    Args:
        answer: of a call.
        mode: how the answer is read.
        make: from a candidate to a proposal.
        call_row: the row of a call without proposals.
        cut_off: what is dropped from an answer that was cut off, "all" or "last".
    """
    cut = answer.finish_reason == "length"
    found: list[Proposal | Rejected] = [
        make(
            candidate,
            finish_reason=answer.finish_reason,
            # where a call for instructions writes the outputs too
            reasoning="" if candidate.output is None else answer.reasoning,
        )
        for candidate in mode.read(answer.text)
    ]
    if not found or (cut and cut_off == "all"):
        row = call_row | {"output": answer.text, "finish_reason": answer.finish_reason}
        return [Rejected(row | cut_column(answer), "truncated" if cut else "unparseable")]

    last = found[-1]
    if cut and isinstance(last, Proposal):
        found[-1] = Rejected(bare_row(last), "truncated")
    return found


def screen(proposal: Proposal | Rejected, rules: Rules, novelty: Novelty) -> Proposal | Rejected:
    """Return a proposal that keeps the rules and is novel, or its rejected row.

    An accepted proposal joins the pool of `novelty`. A row that is too similar names the ten most
    similar instructions in its `detail`.
    """
    if isinstance(proposal, Rejected):
        return proposal
    instruction = proposal.candidate.instruction
    reason = broken_rule(instruction, rules)
    if reason:
        return Rejected(bare_row(proposal), reason)

    verdict = novelty.admit(instruction, proposal.id)
    # every row names its nearest instructions, also one that is accepted
    proposal = replace(proposal, nearest=tuple(verdict.nearest))
    if verdict.novel:
        return proposal
    nearest = "; ".join(f"{similarity:.3f} {other}" for similarity, other in proposal.nearest)
    return Rejected(bare_row(proposal, detail=nearest or None), verdict.reason or "similar")


async def write_rows(
    teacher: Teacher, screened: Proposal | Rejected, *, mode: Mode, tally: Tally
) -> list[Outcome]:
    """Return the rows of an accepted instruction. A rejected one is its own row."""
    if isinstance(screened, Rejected):
        return [screened]
    try:
        outcomes = await mode.complete(teacher, screened)
    except TeacherError as error:
        outcomes = [Rejected(bare_row(screened, finish_reason=str(error)), FAILED)]
    tally.count_rows(outcomes)
    return outcomes
