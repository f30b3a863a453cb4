"""From an accepted instruction to its rows: classification or not, instances, checks.

Source: Self-Instruct, arXiv 2212.10560, section 2.2, and its released code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from datagen.instructions.self_instruct import parse
from datagen.instructions.self_instruct.asking import Asking
from datagen.schema import Accepted, Outcome, Rejected, Row, content_id, user
from datagen.sources.instructions import with_input
from datagen.sources.tasks import Instance, Task
from datagen.teacher.base import Completion, Teacher
from datagen.teacher.chat.kept import CUT, cut_column, kept_completion

CONFIG = "instructions"
CLASSIFY_TOKENS = 8
"""Tokens for Yes or No in base style. The paper takes 3 tokens of GPT-3; other tokenizers need more
for the same words."""


@dataclass(frozen=True)
class Candidate:
    """An instruction as a teacher proposed it. Some modes propose input and output with it."""

    instruction: str
    input: str = ""
    constraints: str = ""
    output: str | None = None
    """None if it is still to be written."""


@dataclass(frozen=True)
class Proposal:
    """A candidate, and where it comes from."""

    candidate: Candidate
    method: str
    parents: tuple[str, ...]
    """Ids of the demonstrations in the prompt that it came from."""
    finish_reason: str = "stop"
    nearest: tuple[tuple[float, str], ...] = ()
    """(ROUGE-L F1, id) of the most similar instructions, highest first."""
    reasoning: str = ""
    """What the teacher thought before it wrote the outputs."""
    id: str = field(init=False)
    """Hash of the instruction. The ids of its rows begin with it."""

    def __post_init__(self) -> None:
        # frozen dataclasses are assigned so; the id follows from the other fields
        object.__setattr__(self, "id", content_id("instruction", self.instruction))

    @property
    def instruction(self) -> str:
        """The instruction, with its constraints if it has any."""
        parts = (self.candidate.instruction, self.candidate.constraints)
        return " ".join(part for part in parts if part)

    @property
    def task(self) -> Task:
        """The proposal as a demonstration of later calls."""
        instance = Instance(self.candidate.input, self.candidate.output or "")
        return Task(self.id, self.instruction, (instance,))


async def write_instances(
    teacher: Teacher, proposal: Proposal, *, asking: Asking, most: int, max_tokens: int
) -> list[Outcome]:
    """Return a row for each instance that the teacher writes for an instruction.

    For a classification task the teacher writes the output first. Otherwise its inputs would favour
    one label (section 2.2).

    Args:
        teacher: it answers greedily.
        proposal: an accepted instruction.
        asking: the prompts.
        most: instances to keep.
        max_tokens: longest answer.

    Raises:
        TeacherError: a request failed.
    """
    instruction = proposal.instruction
    labelled = await is_classification(teacher, instruction, asking=asking, max_tokens=max_tokens)
    if labelled is None:
        row = bare_row(proposal, finish_reason="length", detail="classification")
        return [Rejected(row | {CUT: True}, "truncated")]
    name = "output_first" if labelled else "input_first"
    read = parse.output_first if labelled else parse.input_first
    answer = await asking.ask(teacher, name, max_tokens=max_tokens, instruction=instruction)

    found = read(answer.text)
    instances = found[:most]
    # the last instance was cut off, unless it is dropped anyway
    cut = answer.finish_reason == "length" and len(found) <= most
    if not instances:
        row = bare_row(proposal, is_classification=labelled, finish_reason=answer.finish_reason)
        row |= {"detail": answer.text, **cut_column(answer)}
        return [Rejected(row, "truncated" if cut else "unparseable")]
    proposal = replace(proposal, reasoning=answer.reasoning)
    return outcomes(proposal, instances, asking=asking, cut=cut, is_classification=labelled)


async def is_classification(
    teacher: Teacher, instruction: str, *, asking: Asking, max_tokens: int
) -> bool | None:
    """Return whether the teacher says that a task is a classification task.

    Any answer that does not begin with a yes is a no (released code). None for an answer that was
    cut off before it began: a teacher that was still thinking has not said no.
    """
    # a chat model may explain itself, and ends by itself
    tokens = CLASSIFY_TOKENS if asking.style == "base" else max_tokens
    answer: Completion = await asking.ask(
        teacher, "classify", max_tokens=tokens, instruction=instruction
    )
    if cut_column(answer):
        return None
    return parse.begins_with(answer.text, asking.templates.words("yes"))


def outcomes(
    proposal: Proposal, instances: Sequence[Instance], *, asking: Asking, cut: bool, **columns: Any
) -> list[Outcome]:
    """Return the row of each instance, accepted or rejected.

    Args:
        proposal: the instruction.
        instances: at least one.
        asking: the prompts.
        cut: whether the last instance was cut off.
        **columns: further columns of every row.
    """
    found: list[Outcome] = []
    for place, reason in enumerate(faults(instances, cut=cut)):
        is_cut = cut and place == len(instances) - 1
        row = make_row(proposal, instances[place], asking=asking) | columns
        row["finish_reason"] = columns.get("finish_reason", "length" if is_cut else "stop")
        found.append(Rejected(row, reason) if reason else Accepted(row, CONFIG))
    return found


def faults(instances: Sequence[Instance], *, cut: bool) -> list[str | None]:
    """Return the reason to reject each instance of a task, or None.

    Args:
        instances: at least one.
        cut: whether the last one was cut off.

    Source:
        Released code of Self-Instruct, `prepare_for_finetuning`.
    """
    found = [fault(instance) for instance in instances]
    if cut:
        found[-1] = "truncated"

    # if one input has two outputs, nobody knows which is right: no instance of the task is kept
    outputs = defaultdict[str, set[str]](set)
    for instance, reason in zip(instances, found, strict=True):
        if instance.input and reason is None:
            outputs[instance.input].add(instance.output)
    if any(len(different) > 1 for different in outputs.values()):
        return [reason or "conflicting_outputs" for reason in found]

    seen: set[Instance] = set()
    for place, instance in enumerate(instances):
        if found[place] is None and instance in seen:
            found[place] = "duplicate_instance"
        elif found[place] is None:
            seen.add(instance)
    return found


def fault(instance: Instance) -> str | None:
    """Return what is wrong with an instance by itself, or None."""
    if not instance.output:
        return "empty_output"
    if instance.input == instance.output:
        return "input_equals_output"
    # a colon at the end announces a text that never comes
    if instance.input.endswith((":", "：")) or instance.output.endswith((":", "：")):
        return "trailing_colon"
    return None


def make_row(proposal: Proposal, instance: Instance, *, asking: Asking) -> Row:
    """Return the row of an instance.

    Its id is the id of the instruction, a hyphen, and a hash of input and output.
    """
    answer = Completion(instance.output, reasoning=proposal.reasoning)
    return bare_row(proposal) | {
        "id": f"{proposal.id}-{content_id(instance.input, instance.output)[:8]}",
        "prompt": user(with_input(proposal.task, instance.input, asking.templates)),
        "input": instance.input,
        **kept_completion(answer, asking.kept, instance.output),
    }


def bare_row(proposal: Proposal, **columns: Any) -> Row:
    """Return the row of an instruction without an instance."""
    similarity, nearest = proposal.nearest[0] if proposal.nearest else (None, None)
    return {
        "id": proposal.id,
        "method": proposal.method,
        "parents": list(proposal.parents),
        "instruction": proposal.instruction,
        "input": proposal.candidate.input or None,
        "output": proposal.candidate.output,
        "nearest_id": nearest,
        "nearest_similarity": similarity,
        "finish_reason": proposal.finish_reason,
        **columns,
    }
