"""What methods that start from instructions ask: the whole prompt of a task, and where it comes
from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from datagen.prompts.templates import Templates
from datagen.schema import Row, user
from datagen.sources.tasks import Instance, Task


@dataclass(frozen=True)
class Prompt:
    """A task with one of its inputs, as a teacher is asked."""

    id: str
    """The task's id; further instances of a task have `#1`, `#2` ... behind it."""
    text: str
    """Instruction and input in one."""
    instruction: str
    input: str = ""
    is_classification: bool | None = None


def prompts_of(tasks: Iterable[Task], templates: Templates) -> list[Prompt]:
    """A prompt for every distinct input of every task; the instruction alone where a task has no
    instance.
    """
    found = []
    for task in tasks:
        inputs = dict.fromkeys(instance.input for instance in task.instances or (Instance("", ""),))
        for place, given in enumerate(inputs):
            name = f"{task.id}#{place}" if place else task.id
            text = (
                templates.text("with_input", instruction=task.instruction, input=given)
                if given
                else ""
            )
            found.append(
                Prompt(
                    name,
                    text.strip() or task.instruction,
                    task.instruction,
                    given,
                    task.is_classification,
                )
            )
    return found


def whole(task: Task, given: str, templates: Templates) -> str:
    """The instruction with an input, if there is one."""
    if not given:
        return task.instruction
    return templates.text("with_input", instruction=task.instruction, input=given).strip()


def describe(prompt: Prompt, method: str) -> Row:
    """The columns that a prompt gives to the rows made from it."""
    return {
        "method": method,
        "parents": [prompt.id],
        "prompt": user(prompt.text),
        "completion": [],
        "instruction": prompt.instruction,
        "input": prompt.input,
        "is_classification": prompt.is_classification,
    }
