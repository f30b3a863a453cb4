"""The three ways to ask for instructions: Self-Instruct, Stanford Alpaca, Unnatural Instructions.

They share the loop (`generate.py`). They differ in the prompt of a call, in the end of an answer,
in how an answer is read, and in how an accepted instruction is completed.
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
from datagen.instructions.self_instruct.rules import Rules, broken_rule
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.schema import Accepted, Outcome, Rejected
from datagen.sources.tasks import Instance, Task
from datagen.teacher.base import Messages, Request, Sampling, Teacher


@dataclass(frozen=True)
class Mode:
    """How instructions are asked for and completed: what the three methods do differently."""

    prompt: Callable[[Sequence[Task]], str | Messages]
    """From demonstrations to the prompt that asks for more."""
    stop: tuple[str, ...]
    """The strings at which the answer of a base model ends."""
    read: Callable[[str], list[Candidate]]
    """From an answer to the instructions that it proposes."""
    complete: Callable[[Teacher, Proposal], Awaitable[list[Outcome]]]
    """From an accepted instruction to its rows, at least one. Raises TeacherError."""


def mode(asking: Asking, rules: Rules, settings: SelfInstructSettings) -> Mode:
    """Return the mode that the settings name."""
    if settings.mode == "alpaca":
        return alpaca(asking, settings)
    if settings.mode == "unnatural":
        return unnatural(asking, rules, settings)
    return self_instruct(asking, settings)


def self_instruct(asking: Asking, settings: SelfInstructSettings) -> Mode:
    """Return the mode of Self-Instruct (arXiv 2212.10560).

    A call asks for a numbered list of instructions. Then one call classifies each of them, and
    another one writes its instances.
    """
    templates = asking.templates
    per_call = settings.recipe.per_call
    first = settings.recipe.in_context + 1
    is_base = asking.style == "base"

    def item(number: int, instruction: str) -> str:
        return templates.text("item", number=str(number), instruction=instruction).rstrip()

    def prompt(demonstrations: Sequence[Task]) -> str | Messages:
        texts = [parse.one_line(task.instruction) for task in demonstrations]
        lines = [item(number, text) for number, text in enumerate(texts, 1)]
        if not is_base:
            return asking.prompt("instructions_chat", tasks="\n".join(lines), count=str(per_call))
        # a base model goes on with the list, so the prompt ends with the number of the next item
        return "\n".join([templates.text("instructions").rstrip("\n"), *lines, item(first, "")])

    def read(text: str) -> list[Candidate]:
        if is_base:
            # the prompt ended with the number of the first item, so the answer lacks it
            found = parse.items(item(first, "") + text, item_pattern(item))
        else:
            found = parse.items(text)
        return [Candidate(instruction) for instruction in found if instruction]

    complete = partial(
        write_instances, asking=asking, most=settings.instances, max_tokens=settings.instance_tokens
    )
    stop = (f"\n{item(first + per_call, '')}",) if is_base else ()
    return Mode(prompt, stop, read, complete)


def item_pattern(item: Callable[[int, str], str]) -> re.Pattern[str]:
    """Return a pattern for the beginning of an item, as the template writes it.

    The first group is the number.
    """
    # a number that no template holds shows where the number stands
    before, after = item(987, "").split("987")
    number = rf"{re.escape(before)}(\d{{1,3}}){re.escape(after)}"
    return re.compile(rf"^[ \t]{{0,8}}{number}", re.MULTILINE)


def alpaca(asking: Asking, settings: SelfInstructSettings) -> Mode:
    """Return the mode of Stanford Alpaca (released code).

    A call asks for whole tasks, each with one input and one output. Nothing more is asked about
    them.
    """
    label = parse.labels(asking.templates.language)
    per_call = settings.recipe.per_call
    opening = f"1. {label.instruction}{label.colon}".rstrip()
    is_base = asking.style == "base"

    def prompt(demonstrations: Sequence[Task]) -> str | Messages:
        texts = [format_task(task, label) for task in demonstrations]
        tasks = "\n###\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))
        asked = asking.prompt("alpaca", tasks=tasks, count=str(per_call))
        return with_opening(asked, f"\n{opening}")

    def read(text: str) -> list[Candidate]:
        # the prompt ended with the opening, so the answer lacks it
        return candidates(opening + text if is_base else text)

    async def complete(teacher: Teacher, proposal: Proposal) -> list[Outcome]:
        instance = Instance(proposal.candidate.input, proposal.candidate.output or "")
        return outcomes(proposal, [instance], asking=asking, cut=False)

    stop = (f"\n{per_call + 1}.",) if is_base else ()
    return Mode(prompt, stop, read, complete)


def unnatural(asking: Asking, rules: Rules, settings: SelfInstructSettings) -> Mode:
    """Return the mode of Unnatural Instructions (arXiv 2212.09689, section 2).

    A call asks for one instruction with input and constraints. Then one call writes the output, and
    another one writes the instruction in other words.
    """
    label = parse.labels(asking.templates.language)
    opening = f"{label.instruction}{label.colon}".rstrip()
    is_base = asking.style == "base"

    def prompt(demonstrations: Sequence[Task]) -> str | Messages:
        texts = [format_task(task, label, constraints=True) for task in demonstrations]
        asked = asking.prompt("unnatural", examples="\n\n".join(texts))
        return with_opening(asked, f"\n\n{opening}")

    def read(text: str) -> list[Candidate]:
        found = candidates(opening + text if is_base else text)
        # the output is written by a call of its own, greedily
        return [replace(candidate, output=None) for candidate in found[:1]]

    async def complete(teacher: Teacher, proposal: Proposal) -> list[Outcome]:
        answer = await asking.ask(
            teacher,
            "unnatural_output",
            max_tokens=settings.instance_tokens,
            instruction=proposal.candidate.instruction,
            input=proposal.candidate.input,
            constraints=proposal.candidate.constraints or label.none,
        )
        instance = Instance(proposal.candidate.input, answer.text.strip())
        cut = answer.finish_reason == "length"
        proposal = replace(proposal, reasoning=answer.reasoning)
        found = outcomes(proposal, [instance], asking=asking, cut=cut)
        # a rejected task is not worth further requests
        if settings.paraphrases and isinstance(found[0], Accepted):
            found += await paraphrase(
                teacher, proposal, instance, asking=asking, rules=rules, settings=settings
            )
        return found

    stop = (f"\n\n{opening}",) if is_base else ()
    return Mode(prompt, stop, read, complete)


async def paraphrase(
    teacher: Teacher,
    original: Proposal,
    instance: Instance,
    *,
    asking: Asking,
    rules: Rules,
    settings: SelfInstructSettings,
) -> list[Outcome]:
    """Return rows with the same input and output, and the instruction in other words.

    The parent of each row is the row that it rewords.

    Source:
        Unnatural Instructions, arXiv 2212.09689, section 2.3.
    """
    request = paraphrase_request(original, asking, settings)
    parent = make_row(original, instance, asking=asking)["id"]
    seen = {original.candidate.instruction.casefold()}

    found: list[Outcome] = []
    for completion in await teacher.complete(request):
        wording = parse.one_line(completion.text)
        candidate = replace(original.candidate, instruction=wording, output=instance.output)
        finish = completion.finish_reason
        reworded = replace(original, candidate=candidate, parents=(parent,), finish_reason=finish)
        row = make_row(reworded, instance, asking=asking) | {"operation": "paraphrase"}

        reason = "truncated" if finish == "length" else broken_rule(wording, rules)
        if reason is None and wording.casefold() in seen:
            reason = "same_wording"
        # rejected wordings count too: the next one that repeats them is no better
        seen.add(wording.casefold())
        found.append(Rejected(row, reason) if reason else Accepted(row, CONFIG))
    return found


def paraphrase_request(
    original: Proposal, asking: Asking, settings: SelfInstructSettings
) -> Request:
    """Return the request for other wordings of an instruction."""
    prompt = asking.prompt(
        "paraphrase", instruction=original.candidate.instruction, input=original.candidate.input
    )
    # the paper's values: wordings are meant to differ
    sampling = Sampling(
        temperature=1.0,
        top_p=0.99,
        max_tokens=settings.instance_tokens,
        stop=("\n",) if asking.style == "base" else (),
        seed=settings.seed,
    )
    return Request(prompt, n=settings.paraphrases, sampling=sampling)


def with_opening(prompt: str | Messages, opening: str) -> str | Messages:
    """Return a base model's prompt with the beginning of the next task. A chat stays as it is."""
    return prompt.rstrip() + opening if isinstance(prompt, str) else prompt


def format_task(task: Task, label: parse.Labels, *, constraints: bool = False) -> str:
    """Return a demonstration as labelled lines: instruction, input, and a third line.

    Args:
        task: its first instance is shown.
        label: the labels of the language.
        constraints: whether the third line holds constraints; otherwise it holds the output.
    """
    instance = task.instances[0] if task.instances else Instance("", "")
    last = (label.output, instance.output)
    if constraints:
        last = (label.constraints, constraints_of(task, label))
    lines = [
        (label.instruction, task.instruction),
        (label.input, instance.input or parse.NO_INPUT),
        last,
    ]
    return "\n".join(f"{name}{label.colon}{value}" for name, value in lines)


def constraints_of(task: Task, label: parse.Labels) -> str:
    """Return the labels of a classification task as a constraint. Seed tasks name no others."""
    outputs = sorted({instance.output for instance in task.instances})
    if task.is_classification and len(outputs) > 1:
        return f"{label.one_of}{', '.join(outputs)}"
    return label.none


def candidates(text: str) -> list[Candidate]:
    """Return the candidates in blocks of labelled fields. Each block needs an instruction."""
    return [
        Candidate(
            instruction=parse.one_line(block["instruction"]),
            input=parse.without_nothing(block.get("input", "")),
            constraints=parse.one_line(parse.without_nothing(block.get("constraints", ""))),
            output=block.get("output", ""),
        )
        for block in parse.blocks(text)
        if block.get("instruction")
    ]
