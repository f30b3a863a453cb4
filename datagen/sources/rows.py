"""Read instructions with their responses as rows, whoever wrote them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from datagen.errors import UserError
from datagen.prompts.templates import Templates
from datagen.schema import REASONING, Row, arrow_schema, assistant
from datagen.sources.instructions import describe, prompts_of
from datagen.sources.tasks import records, task_of


def read_rows(
    source: str, templates: Templates, *, method: str, limit: int | None = None
) -> list[Row]:
    """Read rows of any known form into the columns of the config `instructions`.

    Args:
        source: A run folder, a version, a Parquet file or a JSONL file.
        templates: Join instruction and input to a prompt.
        method: The value of the column `method` for rows that were not made by this project.
        limit: Read at most this many rows; by default all.

    Raises:
        UserError: The source cannot be read, or it is empty.
    """
    rows = [
        row_of(record, where, templates, method) for where, record in islice(records(source), limit)
    ]
    if not rows:
        raise UserError(f"{source} holds no rows")
    return rows


def row_of(record: dict[str, Any], where: str, templates: Templates, method: str) -> Row:
    """Return a record as a row of the config `instructions`."""
    task = task_of(record, where)
    (prompt,) = prompts_of([task], templates)
    output = task.instances[0].output
    made: Row = describe(prompt, method) | {
        "id": task.id,
        "parents": [],
        "completion": assistant(output),
        "output": output,
    }

    # A row of this project already has its columns. They are kept, its id and parents included.
    if record.get("method") is None:
        return made
    names = [*arrow_schema("instructions").names, REASONING]
    return made | {name: record[name] for name in names if record.get(name) is not None}


def fields(row: Row) -> dict[str, str]:
    """Return the fields that a judge's rubric can use: `instruction` and `response`."""
    turns = {turn["role"]: turn["content"] for turn in row["prompt"] + row["completion"]}
    return {"instruction": turns.get("user", ""), "response": turns.get("assistant", "")}
