"""Turn tasks into the prompts of methods that start from instructions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from datagen.prompts.templates import Templates
from datagen.schema import Row, user
from datagen.sources.tasks import Instance, Task
from datagen.teacher.base import Messages


@dataclass(frozen=True)
class Prompt:
    """A task with one of its inputs, as the teacher gets it."""

    id: str
    """The id of the task. Further inputs of the task add `#1`, `#2` ... to it."""
    text: str
    """The instruction and the input in one text."""
    instruction: str
    input: str = ""
    is_classification: bool | None = None
    context: Messages = ()
    """The turns before the text: a system prompt, and the conversation so far."""

    @property
    def system(self) -> str | None:
        """The system prompt of the source, or None if it has none."""
        return next((text for role, text in self.context if role == "system"), None)


def prompts_of(tasks: Iterable[Task], templates: Templates) -> list[Prompt]:
    """Return a prompt for each distinct input of each task.

    Args:
        tasks: The tasks. A task without instances gives one prompt without an input.
        templates: Join instruction and input.
    """
    found = []
    for task in tasks:
        instances = task.instances or (Instance("", ""),)
        inputs = dict.fromkeys(instance.input for instance in instances)
        for place, given in enumerate(inputs):
            # The first prompt keeps the task's id, which is stored in the rows of earlier runs.
            name = f"{task.id}#{place}" if place else task.id
            text = with_input(task, given, templates)
            label = task.is_classification
            found.append(Prompt(name, text, task.instruction, given, label, task.context))
    return found


def with_input(task: Task, given: str, templates: Templates) -> str:
    """Return the instruction of a task with an input, or alone if the input is empty."""
    if not given:
        return task.instruction
    text = templates.text("with_input", instruction=task.instruction, input=given).strip()
    return text or task.instruction


def asked(prompts: Iterable[Prompt]) -> Iterator[list[Any]]:
    """Yield what is asked of each prompt, for the hash of the source."""
    for prompt in prompts:
        yield [prompt.id, prompt.text, *prompt.context]


def conversation(turns: Messages) -> list[dict[str, str]]:
    """Return turns in the form of the columns `prompt` and `completion`."""
    return [{"role": role, "content": content} for role, content in turns]


def describe(prompt: Prompt, method: str) -> Row:
    """Return the columns that all rows made from a prompt share."""
    columns = {"system": prompt.system} if prompt.context else {}
    return columns | {
        "method": method,
        "parents": [prompt.id],
        "prompt": conversation(prompt.context) + user(prompt.text),
        "completion": [],
        "instruction": prompt.instruction,
        "input": prompt.input,
        "is_classification": prompt.is_classification,
    }
