"""From an accepted instruction to its rows: classification or not, instances, filters
(Self-Instruct, section 2.2).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.instructions.self_instruct import parse
from datagen.instructions.self_instruct.asking import Asking
from datagen.schema import Accepted, Outcome, Rejected, Row, assistant, content_id, user
from datagen.sources.instructions import with_input
from datagen.sources.tasks import Instance, Task
from datagen.teacher.base import Completion, Teacher

CONFIG = "instructions"
CLASSIFY_TOKENS = 8
"""For Yes or No in base style (the paper takes 3 tokens of GPT-3)."""


@dataclass(frozen=True)
class Candidate:
    """An instruction as a teacher proposed it; a mode that writes more than that at once fills the
    rest.
    """

    instruction: str
    input: str = ""
    constraints: str = ""
    output: str | None = None
    """None where it is still to be written."""


@dataclass(frozen=True)
class Proposal:
    """A candidate and what is known of it.

    `id` is the instruction's own; its rows' ids begin with it.
    """

    candidate: Candidate
    method: str
    parents: tuple[str, ...]
    """Ids of the demonstrations in the prompt that it came from."""
    finish_reason: str = "stop"
    nearest: tuple[tuple[float, str], ...] = ()
    """(ROUGE-L F1, id) of the instructions most similar to it, highest first."""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", content_id("instruction", self.instruction))

    @property
    def instruction(self) -> str:
        """With its constraints, if it has any."""
        return " ".join(
            part for part in (self.candidate.instruction, self.candidate.constraints) if part
        )

    @property
    def task(self) -> Task:
        """As a demonstration of later calls."""
        return Task(
            self.id,
            self.instruction,
            (Instance(self.candidate.input, self.candidate.output or ""),),
        )


async def write_instances(
    teacher: Teacher, proposal: Proposal, *, asking: Asking, most: int, max_tokens: int
) -> list[Outcome]:
    """A row an instance.

    Output first for classification, as the labels would be lopsided otherwise; else input first.

    Greedy, at most `most` instances of one answer of `max_tokens` tokens. Raises TeacherError.
    """
    labelled = await is_classification(
        teacher, proposal.instruction, asking=asking, max_tokens=max_tokens
    )
    name, read = (
        ("output_first", parse.output_first) if labelled else ("input_first", parse.input_first)
    )
    answer = await asking.ask(
        teacher, name, max_tokens=max_tokens, instruction=proposal.instruction
    )
    found = read(answer.text)
    instances = found[:most]
    cut = answer.finish_reason == "length" and len(found) <= most
    if not instances:
        row = bare_row(proposal, is_classification=labelled, finish_reason=answer.finish_reason)
        return [Rejected(row | {"detail": answer.text}, "truncated" if cut else "unparseable")]
    return outcomes(proposal, instances, asking=asking, cut=cut, is_classification=labelled)


async def is_classification(
    teacher: Teacher, instruction: str, *, asking: Asking, max_tokens: int
) -> bool:
    """What does not begin with a yes is none (released code)."""
    tokens = CLASSIFY_TOKENS if asking.style == "base" else max_tokens
    answer: Completion = await asking.ask(
        teacher, "classify", max_tokens=tokens, instruction=instruction
    )
    return parse.begins_with(answer.text, asking.templates.words("yes"))


def outcomes(
    proposal: Proposal, instances: Sequence[Instance], *, asking: Asking, cut: bool, **columns: Any
) -> list[Outcome]:
    """The instances of one instruction, each accepted or rejected.

    `cut`: the last one was cut off by length.
    """
    found: list[Outcome] = []
    for place, (instance, reason) in enumerate(
        zip(instances, faults(instances, cut=cut), strict=True)
    ):
        finish = "length" if cut and place == len(instances) - 1 else "stop"
        row = make_row(proposal, instance, asking=asking) | {"finish_reason": finish} | columns
        found.append(Rejected(row, reason) if reason else Accepted(row, CONFIG))
    return found


def faults(instances: Sequence[Instance], *, cut: bool) -> list[str | None]:
    """The reason to drop each instance of a task, or None (released code,
    `prepare_for_finetuning`).

    One non-empty input with different outputs condemns all instances of the task.
    """
    found = [fault(instance) for instance in instances]
    if cut:
        found[-1] = "truncated"
    outputs = defaultdict[str, set[str]](set)
    for instance, reason in zip(instances, found, strict=True):
        if instance.input and reason is None:
            outputs[instance.input].add(instance.output)
    if any(len(different) > 1 for different in outputs.values()):
        return [reason or "conflicting_outputs" for reason in found]
    seen = Counter[Instance]()
    for place, instance in enumerate(instances):
        seen[instance] += found[place] is None
        if found[place] is None and seen[instance] > 1:
            found[place] = "duplicate_instance"
    return found


def fault(instance: Instance) -> str | None:
    """What is wrong with an instance by itself."""
    if not instance.output:
        return "empty_output"
    if instance.input == instance.output:
        return "input_equals_output"
    if instance.input.endswith((":", "：")) or instance.output.endswith((":", "：")):
        return "trailing_colon"
    return None


def make_row(proposal: Proposal, instance: Instance, *, asking: Asking) -> Row:
    """Columns of an instance.

    Its id is the instruction's id, a hyphen and a hash of input and output.
    """
    return bare_row(proposal) | {
        "id": f"{proposal.id}-{content_id(instance.input, instance.output)[:8]}",
        "prompt": user(with_input(proposal.task, instance.input, asking.templates)),
        "completion": assistant(instance.output),
        "input": instance.input,
        "output": instance.output,
    }


def bare_row(proposal: Proposal, **columns: Any) -> Row:
    """Columns of an instruction that has no instance."""
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
