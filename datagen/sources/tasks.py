"""Read tasks: seed tasks in the format of Self-Instruct, or instructions from other sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.schema import content_id
from datagen.sources.files import SUFFIXES, read_records


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


def read_tasks(path: Path) -> list[Task]:
    """Read seed tasks from a JSONL file.

    Args:
        path: Each line is an object with `id`, `instruction`, `instances` (a list of objects with
            `input` and `output`) and `is_classification`.

    Raises:
        UserError: A line is broken, a field is missing, an instruction is empty, or an id occurs
            twice. The message names the line.
    """
    tasks: dict[str, Task] = {}
    for number, record in json_lines(path):
        where = f"{path}, line {number}"
        task = read_task(record, where)
        if task.id in tasks:
            raise UserError(f"{where}: the id {task.id!r} was there before; ids must differ")
        tasks[task.id] = task
    if not tasks:
        raise UserError(f"{path} holds no tasks")
    return list(tasks.values())


def read_task(record: dict[str, Any], where: str) -> Task:
    """Return the seed task of a record. Raises UserError if a field is missing or has no value."""
    for field in ("id", "instruction", "instances", "is_classification"):
        if field not in record:
            raise UserError(
                f"{where}: the field {field!r} is missing; there are {', '.join(record) or 'none'}"
            )
    instruction = record["instruction"]
    if not isinstance(instruction, str) or not instruction.strip():
        raise UserError(f"{where}: the instruction is empty; write one or remove the line")
    try:
        instances = tuple(
            Instance(str(i["input"]).strip(), str(i["output"]).strip()) for i in record["instances"]
        )
    except (KeyError, TypeError):
        raise UserError(
            f'{where}: instances must be a list of {{"input": ..., "output": ...}}'
        ) from None
    return Task(
        str(record["id"]), instruction.strip(), instances, bool(record["is_classification"])
    )


def instructions_from(source: str) -> list[Task]:
    """Read instructions from any source as tasks. Rows that occur twice give one task.

    Args:
        source: A run folder, a version folder, NAME@VERSION, or a file (JSONL, JSON, CSV, TSV or
            Parquet). Its rows have an `instruction` (and `input` and `output`), or a conversation
            in `prompt` or `messages`, whose first message of the user is the instruction.

    Raises:
        UserError: The source cannot be read, or it holds no instructions.
    """
    # Seed tasks are JSONL as well. The first line shows which of the two a file holds.
    if source.endswith(".jsonl") and (path := Path(source)).is_file():
        first = next(json_lines(path), (0, {}))[1]
        if "instances" in first:
            return read_tasks(path)
    tasks: dict[str, Task] = {}
    for where, record in records(source):
        task = task_of(record, where)
        tasks.setdefault(task.id, task)
    if not tasks:
        raise UserError(f"{source} holds no instructions")
    return list(tasks.values())


def task_of(record: dict[str, Any], where: str) -> Task:
    """Return the task of a row in any of the known forms. Raises UserError for other forms."""
    instruction, instance = parts_of(record, where)
    if not instruction:
        raise UserError(f"{where}: the instruction is empty; write one or remove the row")

    name = str(record.get("id") or content_id("instruction", instruction, instance.input))
    label = record.get("is_classification")
    return Task(name, instruction, (instance,), None if label is None else bool(label))


def parts_of(record: dict[str, Any], where: str) -> tuple[str, Instance]:
    """Return the instruction of a row, and its input and output."""
    if isinstance(record.get("instruction"), str):
        names = ("instruction", "input", "output")
        instruction, given, output = (str(record.get(name) or "").strip() for name in names)
        return instruction, Instance(given, output)

    turns = record.get("messages") or record.get("prompt")
    if not isinstance(turns, list):
        found = ", ".join(record) or "none"
        raise UserError(
            f"{where}: no column instruction, messages or prompt; the columns are {found}"
        )

    # Backwards, so that the first message of each role is the one that stays.
    turns = turns + (record.get("completion") or [])
    messages = {turn["role"]: str(turn["content"]).strip() for turn in reversed(turns)}
    return messages.get("user", ""), Instance("", messages.get("assistant", ""))


def records(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a source, each with its place."""
    path = Path(source)
    if path.suffix == ".jsonl" and path.is_file():
        yield from ((f"{path}, line {number}", record) for number, record in json_lines(path))
        return
    is_file = path.suffix in SUFFIXES or path.is_file()
    for file in [path] if is_file else parquet_files(source):
        for where, record in read_records(file):
            yield where, dict(record)


def parquet_files(source: str) -> list[Path]:
    """Return the Parquet files of a run folder, a version folder or a version's name."""
    path = Path(source)
    if path.is_dir():
        # A run has one file, a version has a folder of them.
        single = path / "instructions.parquet"
        found = [single] if single.is_file() else sorted((path / "instructions").glob("*.parquet"))
        if not found:
            raise UserError(
                f"{source} holds no instructions (instructions.parquet): the run is not "
                "finished, or it is a run of another method"
            )
        return found

    from datagen.versions import resolve

    return sorted((resolve(source).path / "instructions").glob("*.parquet"))


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a JSONL file with their line numbers, without the empty lines.

    Raises UserError if the file or a line cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, parse(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def parse(line: str, where: str) -> dict[str, Any]:
    """Return the JSON object on a line. Raises UserError for anything else."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where} is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise UserError(f"{where}: a JSON object is expected")
    return record
