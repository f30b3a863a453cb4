"""The three ways to ask for instructions: Self-Instruct, Stanford Alpaca, Unnatural Instructions.

They share the loop (datagen.instructions.self_instruct) and differ in four functions: what a call
says, where a base model is stopped, what is read from the answer, and how an accepted instruction
is completed.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from datagen.instructions.self_instruct import parse
from datagen.instructions.self_instruct.asking import Asking
from datagen.instructions.self_instruct.instances import (
    CONFIG,
    Candidate,
    Proposal,
    make_row,
    outcomes,
    write_instances,
)
from datagen.instructions.self_instruct.rules import Rules, check
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.schema import Accepted, Outcome, Rejected
from datagen.sources.tasks import Instance, Task
from datagen.teacher.base import Messages, Request, Sampling, Teacher


@dataclass(frozen=True)
class Mode:
    """What differs between the ways to ask: prompts, stops, reading, completing."""

    prompt: Callable[[Sequence[Task]], str | Messages]
    """Demonstrations to the prompt that asks for more."""
    stop: tuple[str, ...]
    read: Callable[[str], list[Candidate]]
    """An answer to what it proposes."""
    complete: Callable[[Teacher, Proposal], Awaitable[list[Outcome]]]
    """An accepted instruction to its rows, at least one. Raises TeacherError."""


def mode(asking: Asking, rules: Rules, settings: SelfInstructSettings) -> Mode:
    if settings.mode == "alpaca":
        return alpaca(asking, settings)
    if settings.mode == "unnatural":
        return unnatural(asking, rules, settings)
    return self_instruct(asking, settings)


def self_instruct(asking: Asking, settings: SelfInstructSettings) -> Mode:
    """Numbered instructions, then a call that classifies each and one that writes its instances."""
    templates, first = asking.templates, settings.recipe.in_context + 1
    base, per_call = asking.style == "base", settings.recipe.per_call

    def item(number: int, instruction: str) -> str:
        return templates.text("item", number=str(number), instruction=instruction).rstrip()

    def prompt(demonstrations: Sequence[Task]) -> str | Messages:
        lines = [
            item(i, parse.one_line(task.instruction)) for i, task in enumerate(demonstrations, 1)
        ]
        if not base:
            return asking.prompt("instructions_chat", tasks="\n".join(lines), count=str(per_call))
        return "\n".join([templates.text("instructions").rstrip("\n"), *lines, item(first, "")])

    def read(text: str) -> list[Candidate]:
        found = (
            parse.items(item(first, "") + text, item_pattern(item)) if base else parse.items(text)
        )
        return [Candidate(instruction) for instruction in found if instruction]

    complete = partial(
        write_instances, asking=asking, most=settings.instances, max_tokens=settings.instance_tokens
    )
    return Mode(prompt, (f"\n{item(first + per_call, '')}",) if base else (), read, complete)


def item_pattern(item: Callable[[int, str], str]) -> re.Pattern[str]:
    """Finds the beginning of an item as its template writes it; the first group is the number."""
    before, after = item(987, "").split("987")
    return re.compile(
        rf"^[ \t]{{0,8}}{re.escape(before)}(\d{{1,3}}){re.escape(after)}", re.MULTILINE
    )


def alpaca(asking: Asking, settings: SelfInstructSettings) -> Mode:
    """Whole tasks, each with one input and output; nothing more is asked about them."""
    label = parse.labels(asking.templates.language)
    per_call, opening = settings.recipe.per_call, f"1. {label.instruction}{label.colon}".rstrip()

    def prompt(demonstrations: Sequence[Task]) -> str | Messages:
        tasks = "\n###\n".join(
            f"{i}. {written(task, label)}" for i, task in enumerate(demonstrations, 1)
        )
        return opened(asking.prompt("alpaca", tasks=tasks, count=str(per_call)), f"\n{opening}")

    def read(text: str) -> list[Candidate]:
        return proposals(opening + text if asking.style == "base" else text)

    async def complete(teacher: Teacher, proposal: Proposal) -> list[Outcome]:
        instance = Instance(proposal.candidate.input, proposal.candidate.output or "")
        return outcomes(proposal, [instance], asking=asking, cut=False)

    return Mode(prompt, (f"\n{per_call + 1}.",) if asking.style == "base" else (), read, complete)


def unnatural(asking: Asking, rules: Rules, settings: SelfInstructSettings) -> Mode:
    """One instruction, input and constraints a call; then the output, greedy; then the instruction
    in other words.
    """
    label = parse.labels(asking.templates.language)
    opening = f"{label.instruction}{label.colon}".rstrip()

    def prompt(demonstrations: Sequence[Task]) -> str | Messages:
        examples = "\n\n".join(written(task, label, constraints=True) for task in demonstrations)
        return opened(asking.prompt("unnatural", examples=examples), f"\n\n{opening}")

    def read(text: str) -> list[Candidate]:
        found = proposals(opening + text if asking.style == "base" else text)
        return [replace(candidate, output=None) for candidate in found[:1]]

    async def complete(teacher: Teacher, proposal: Proposal) -> list[Outcome]:
        candidate = proposal.candidate
        wanted = {"instruction": candidate.instruction, "input": candidate.input}
        constraints = candidate.constraints or label.none
        tokens = settings.instance_tokens
        answer = await asking.ask(
            teacher, "unnatural_output", max_tokens=tokens, constraints=constraints, **wanted
        )
        instance = Instance(candidate.input, answer.text.strip())
        found = outcomes(proposal, [instance], asking=asking, cut=answer.finish_reason == "length")
        if settings.paraphrases and isinstance(found[0], Accepted):
            found += await paraphrase(
                teacher, proposal, instance, asking=asking, rules=rules, settings=settings
            )
        return found

    return Mode(prompt, (f"\n\n{opening}",) if asking.style == "base" else (), read, complete)


async def paraphrase(
    teacher: Teacher,
    original: Proposal,
    instance: Instance,
    *,
    asking: Asking,
    rules: Rules,
    settings: SelfInstructSettings,
) -> list[Outcome]:
    """The same input and output under other wordings; a row's parent is the row it rewords (arXiv
    2212.09689, 2.3).
    """
    fields = {"instruction": original.candidate.instruction, "input": original.candidate.input}
    sampling = Sampling(
        temperature=1.0,
        top_p=0.99,
        max_tokens=settings.instance_tokens,
        stop=("\n",) if asking.style == "base" else (),
        seed=settings.seed,
    )
    request = Request(
        asking.prompt("paraphrase", **fields), n=settings.paraphrases, sampling=sampling
    )
    parent, seen = (
        make_row(original, instance, asking=asking)["id"],
        {original.candidate.instruction.casefold()},
    )
    found: list[Outcome] = []
    for completion in await teacher.complete(request):
        wording = parse.one_line(completion.text)
        candidate = replace(original.candidate, instruction=wording, output=instance.output)
        reworded = replace(
            original, candidate=candidate, parents=(parent,), finish_reason=completion.finish_reason
        )
        row = make_row(reworded, instance, asking=asking) | {"operation": "paraphrase"}
        reason = "truncated" if completion.finish_reason == "length" else check(wording, rules)
        reason = reason or ("same_wording" if wording.casefold() in seen else None)
        seen.add(wording.casefold())
        found.append(Rejected(row, reason) if reason else Accepted(row, CONFIG))
    return found


def opened(prompt: str | Messages, opening: str) -> str | Messages:
    """The prompt of a base model ends where the next task begins; chat is left as it is."""
    return prompt.rstrip() + opening if isinstance(prompt, str) else prompt


def written(task: Task, label: parse.Labels, *, constraints: bool = False) -> str:
    """A demonstration as labelled lines, with its first instance."""
    instance = task.instances[0] if task.instances else Instance("", "")
    lines = [(label.instruction, task.instruction), (label.input, instance.input or parse.NO_INPUT)]
    lines += (
        [(label.constraints, constraint(task, label))]
        if constraints
        else [(label.output, instance.output)]
    )
    return "\n".join(f"{name}{label.colon}{value}" for name, value in lines)


def constraint(task: Task, label: parse.Labels) -> str:
    """Seed tasks name no constraints; a classification has its labels."""
    outputs = sorted({instance.output for instance in task.instances})
    return (
        f"{label.one_of}{', '.join(outputs)}"
        if task.is_classification and len(outputs) > 1
        else label.none
    )


def proposals(text: str) -> list[Candidate]:
    """Blocks of labelled fields as candidates; a block without an instruction is none."""
    return [
        Candidate(
            instruction=parse.one_line(block["instruction"]),
            input=parse.nothing(block.get("input", "")),
            constraints=parse.one_line(parse.nothing(block.get("constraints", ""))),
            output=block.get("output", ""),
        )
        for block in parse.blocks(text)
        if block.get("instruction")
    ]
