"""Read tasks: seed tasks in the format of Self-Instruct, or instructions from other sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.schema import content_id
from datagen.sources.columns import Entry, read_entry
from datagen.sources.files import HUB_ID, SUFFIXES, ending, read_records, split_of
from datagen.sources.formats import Record
from datagen.sources.tally import Ids, SourceTally
from datagen.sources.turns import Unusable
from datagen.sources.values import holds_something, kind_of, text_in
from datagen.teacher.base import Messages

TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Instance:
    """An input of a task, and the output for it."""

    input: str
    """Empty if the instruction needs no input."""
    output: str


@dataclass(frozen=True)
class Task:
    """An instruction with examples of inputs and outputs."""

    id: str
    instruction: str
    instances: tuple[Instance, ...] = ()
    is_classification: bool | None = None
    context: Messages = ()
    """The turns before the instruction: a system prompt, and the conversation so far."""

    @property
    def history(self) -> bool:
        """Whether the instruction continues a conversation."""
        return any(role != "system" for role, _ in self.context)


def read_tasks(path: Path, tally: SourceTally | None = None) -> list[Task]:
    """Read seed tasks from a file.

    Args:
        path: Each record has `id`, `instruction`, `instances` (a list of objects with `input` and
            `output`) and `is_classification`.
        tally: Counts the tasks that are repeated.

    Raises:
        UserError: A record is broken, a field is missing, or an instruction is empty. The message
            names the line.
    """
    tally = tally or SourceTally()
    ids = Ids(tally)
    tasks: list[Task] = []
    for where, record in read_records(path, tally):
        tally.rows += 1
        if task := distinct(read_task(record, where), ids):
            tasks.append(task)
    if not tasks:
        raise UserError(f"{path} holds no tasks")
    return tasks


def distinct(task: Task, ids: Ids) -> Task | None:
    """Return a task under an id of its own, or None if it repeats an earlier one."""
    content = [[instance.input, instance.output] for instance in task.instances]
    name = ids.claim(task.id, task.instruction, content)
    return None if name is None else replace(task, id=name)


def read_task(record: Record, where: str) -> Task:
    """Return the seed task of a record. Raises UserError if a field is missing or has no value."""
    for field in ("id", "instruction", "instances", "is_classification"):
        if field not in record:
            raise UserError(
                f"{where}: the field {field!r} is missing; there are {', '.join(record) or 'none'}"
            )
    instruction = (text_in(record["instruction"], "instruction", where) or "").strip()
    if not instruction:
        raise UserError(f"{where}: the instruction is empty; write one or remove the line")
    label = truth(record["is_classification"], "is_classification", where)
    name = id_in(record) or content_id("instruction", instruction)
    return Task(name, instruction, read_instances(record["instances"], where), bool(label))


def read_instances(value: Any, where: str) -> tuple[Instance, ...]:
    """Return the instances of a seed task. Raises UserError if they have another form."""
    if not isinstance(value, list) or not all(
        isinstance(instance, dict) and instance.keys() >= {"input", "output"} for instance in value
    ):
        raise UserError(f'{where}: instances must be a list of {{"input": ..., "output": ...}}')
    pairs = [
        [(text_in(instance[name], name, where) or "").strip() for name in ("input", "output")]
        for instance in value
    ]
    return tuple(Instance(given, output) for given, output in pairs)


def truth(value: Any, column: str, where: str) -> bool | None:
    """Return whether a column says true or false; None if it says nothing. Raises UserError."""
    if not holds_something(value):
        return None
    if isinstance(value, bool):
        return value
    found = TRUTHS.get((text_in(value, column, where) or "").strip().lower())
    if found is None:
        raise UserError(
            f"{where}: the column {column!r} holds {kind_of(value)}, and true or false is expected"
        )
    return found


def id_in(record: Record) -> str | None:
    """Return the id that a record gives itself, or None if it has none that can be used."""
    value = record.get("id")
    if not value or not holds_something(value) or not isinstance(value, str | int | float):
        return None
    return str(value)


def instructions_from(
    source: str, *, limit: int | None = None, history: bool = True, tally: SourceTally | None = None
) -> list[Task]:
    """Read instructions from any source as tasks. Rows that say the same give one task.

    Args:
        source: A run folder, a version folder, NAME@VERSION, a file, a dataset folder or a dataset
            on the Hub, in any format that `datagen.sources.columns` knows.
        limit: Read until there are this many tasks; by default everything.
        history: Whether to read instructions that continue a conversation.
        tally: Counts what was read, and what was not.

    Raises:
        UserError: The source cannot be read, or it holds no instructions.
    """
    tally = tally or SourceTally()
    ids = Ids(tally)
    tasks: list[Task] = []
    for where, record in records(source, tally):
        tally.rows += 1
        try:
            task = task_of(record, where, tally)
            if task.history and not history:
                raise Unusable("history")
        except Unusable as error:
            tally.left_out[error.reason] += 1
            continue
        if found := distinct_prompt(task, ids):
            tasks.append(found)
        if len(tasks) == limit:
            break
    if not tasks:
        raise nothing_in(source, "instructions", tally)
    return tasks


def distinct_prompt(task: Task, ids: Ids) -> Task | None:
    """Return a task under an id of its own, or None if an earlier task asks the same."""
    inputs = [instance.input for instance in task.instances]
    name = ids.claim(task.id, task.instruction, inputs, task.context)
    return None if name is None else replace(task, id=name)


def nothing_in(source: str, what: str, tally: SourceTally) -> UserError:
    """Return the error for a source of which nothing can be used."""
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in tally.left_out.items())
    why = f" that can be used (left out: {reasons})" if reasons else ""
    return UserError(f"{source} holds no {what}{why}")


def task_of(record: Record, where: str, tally: SourceTally) -> Task:
    """Return the task of a row in any of the known forms.

    Raises:
        Unusable: The row holds no instruction, or something that our columns cannot hold.
        UserError: The form is unknown.
    """
    if isinstance(record.get("instances"), list):
        return read_task(record, where)
    entry = read_entry(record, where, tally)
    label = truth(record.get("is_classification"), "is_classification", where)
    instance = Instance(entry.input, entry.output)
    name = id_in(record) or id_of(entry)
    return Task(name, entry.instruction, (instance,), label, entry.context)


def id_of(entry: Entry) -> str:
    """Return an id made of what a row asks."""
    # Without a context the parts are those of earlier releases, whose runs can be continued.
    context = [entry.context] if entry.context else []
    return content_id("instruction", entry.instruction, entry.input, *context)


def records(source: str, tally: SourceTally) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a source, each with its place."""
    for part in parts_of(source):
        for where, record in read_records(part, tally):
            yield where, dict(record)


def parts_of(source: str) -> list[str | Path]:
    """Return what is read of a source: itself, or the Parquet files of a run or version."""
    path = Path(split_of(source)[0])
    if path.is_dir():
        return list(parquet_files(path)) or [source]
    if path.is_file() or ending(path) in SUFFIXES:
        return [source]

    from datagen.versions import resolve

    try:
        return sorted((resolve(source).path / "instructions").glob("*.parquet"))
    except UserError:
        # ORG/NAME can be a version in the store, or any dataset on the Hub.
        if HUB_ID.fullmatch(split_of(source)[0]):
            return [source]
        raise


def parquet_files(path: Path) -> list[Path]:
    """Return the Parquet files of a run or a version. Another folder has none.

    Raises UserError for a run without instructions.
    """
    # A run has one file, a version has a folder of them.
    single = path / "instructions.parquet"
    found = [single] if single.is_file() else sorted((path / "instructions").glob("*.parquet"))
    ours = any((path / name).is_file() for name in ("config.json", "lineage.json"))
    if not found and ours:
        raise UserError(
            f"{path} holds no instructions (instructions.parquet): the run is not "
            "finished, or it is a run of another method"
        )
    return found
