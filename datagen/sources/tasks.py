"""Tasks to start from: seed tasks in the published format of Self-Instruct, and instructions from
anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.schema import content_id


@dataclass(frozen=True)
class Instance:
    """An input of a task, with the output that it should have."""

    input: str
    """Empty where the instruction says it all."""
    output: str


@dataclass(frozen=True)
class Task:
    """An instruction with its instances."""

    id: str
    instruction: str
    instances: tuple[Instance, ...] = ()
    is_classification: bool | None = None


def read_tasks(path: Path) -> list[Task]:
    """Seed tasks, one JSON object a line: id, instruction, instances (input, output),
    is_classification.

    Raises UserError with file and line for a broken line, a missing field, an empty instruction, a
    duplicate id.
    """
    tasks: dict[str, Task] = {}
    for number, record in json_lines(path):
        task = read_task(record, where := f"{path}, line {number}")
        if task.id in tasks:
            raise UserError(f"{where}: the id {task.id!r} was there before; ids must differ")
        tasks[task.id] = task
    if not tasks:
        raise UserError(f"{path} holds no tasks")
    return list(tasks.values())


def read_task(record: dict[str, Any], where: str) -> Task:
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
    """Instructions of a run folder, a version folder, NAME@VERSION, a Parquet or a JSONL file; one
    task a distinct row.

    Rows have `instruction` (and `input`, `output`), or chat `prompt`/`messages` whose first user
    turn is the instruction. Raises UserError.
    """
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
    """The task of a row in any of the known forms. Raises UserError for another."""
    if isinstance(record.get("instruction"), str):
        instruction, given, output = (
            str(record.get(k) or "").strip() for k in ("instruction", "input", "output")
        )
    else:
        turns = record.get("messages") or record.get("prompt")
        if not isinstance(turns, list):
            found = ", ".join(record) or "none"
            raise UserError(
                f"{where}: no column instruction, messages or prompt; the columns are {found}"
            )
        turns = turns + (record.get("completion") or [])
        said = {turn["role"]: str(turn["content"]).strip() for turn in reversed(turns)}
        instruction, given, output = said.get("user", ""), "", said.get("assistant", "")
    if not instruction:
        raise UserError(f"{where}: the instruction is empty; write one or remove the row")
    name = str(record.get("id") or content_id("instruction", instruction, given))
    label = record.get("is_classification")
    return Task(
        name, instruction, (Instance(given, output),), None if label is None else bool(label)
    )


def records(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows with the place they come from."""
    path = Path(source)
    if path.is_file() and path.suffix in (".jsonl", ".json"):
        yield from ((f"{path}, line {number}", record) for number, record in json_lines(path))
        return
    for file in parquet_files(source):
        import pyarrow.parquet as pq

        number = 0
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches():
                for record in batch.to_pylist():
                    number += 1
                    yield f"{file}, row {number}", record


def parquet_files(source: str) -> list[Path]:
    """The Parquet files that `source` means."""
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [path / "instructions.parquet"] if (path / "instructions.parquet").is_file() else []
        found = found or sorted((path / "instructions").glob("*.parquet"))
        if not found:
            raise UserError(
                f"{source} holds no instructions (instructions.parquet): is the run finished?"
            )
        return found
    from datagen.versions import resolve

    return sorted((resolve(source).path / "instructions").glob("*.parquet"))


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their line numbers, empty lines left out.

    Raises UserError.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, parse(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def parse(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where} is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise UserError(f"{where}: a JSON object is wanted")
    return record
