"""Rows for methods that start from instructions and their responses, whoever wrote them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from datagen.errors import UserError
from datagen.prompts.templates import Templates
from datagen.schema import Row, arrow_schema, assistant
from datagen.sources.instructions import describe, prompts_of
from datagen.sources.tasks import records, task_of


def read_rows(
    source: str, templates: Templates, *, method: str, limit: int | None = None
) -> list[Row]:
    """Rows of any known form with the columns of `instructions`. Raises UserError.

    A row of this project stays as it is; one from elsewhere gets `method`.
    """
    rows = [
        row_of(record, where, templates, method) for where, record in islice(records(source), limit)
    ]
    if not rows:
        raise UserError(f"{source} holds no rows")
    return rows


def row_of(record: dict[str, Any], where: str, templates: Templates, method: str) -> Row:
    task = task_of(record, where)
    (prompt,) = prompts_of([task], templates)
    output = task.instances[0].output
    made: Row = describe(prompt, method) | {
        "id": task.id,
        "parents": [],
        "completion": assistant(output),
        "output": output,
    }
    if record.get("method") is None:
        return made
    return made | {
        name: record[name]
        for name in arrow_schema("instructions").names
        if record.get(name) is not None
    }


def fields(row: Row) -> dict[str, str]:
    """What a rubric may ask about: the whole prompt, and the response."""
    turns = {turn["role"]: turn["content"] for turn in row["prompt"] + row["completion"]}
    return {"instruction": turns.get("user", ""), "response": turns.get("assistant", "")}
