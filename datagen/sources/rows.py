"""Read instructions with their responses as rows, whoever wrote them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from datagen.prompts.templates import Templates
from datagen.schema import REASONING, Row, arrow_schema, assistant, content_id
from datagen.sources.columns import Entry, is_own, read_entry
from datagen.sources.formats import Record
from datagen.sources.instructions import conversation, describe, prompts_of
from datagen.sources.tally import Ids, SourceTally
from datagen.sources.tasks import (
    Instance,
    Task,
    id_in,
    id_of,
    nothing_in,
    read_task,
    records,
    truth,
)
from datagen.sources.turns import Unusable
from datagen.teacher.base import transcript


def read_rows(
    source: str,
    templates: Templates,
    *,
    method: str,
    limit: int | None = None,
    tally: SourceTally | None = None,
) -> list[Row]:
    """Read rows of any known form into the columns of the config `instructions`.

    Args:
        source: A run folder, a version, a file, a dataset folder or a dataset on the Hub.
        templates: Join instruction and input to a prompt.
        method: The value of the column `method` for rows that were not made by this project.
        limit: Read at most this many rows; by default all.
        tally: Counts what was read, and what was not.

    Raises:
        UserError: The source cannot be read, or it is empty.
    """
    tally = tally or SourceTally()
    names = Names(tally)
    rows: list[Row] = []
    for where, record in records(source, tally):
        tally.rows += 1
        try:
            for row in rows_of(record, where, templates, method, tally):
                rows.append(names.rename(row, counted=id_in(record) is not None))
        except Unusable as error:
            tally.left_out[error.reason] += 1
        if limit is not None and len(rows) >= limit:
            break
    if not rows:
        raise nothing_in(source, "rows", tally)
    return rows[:limit]


class Names:
    """Gives every row an id of its own, repeated rows too, because all of them are kept."""

    def __init__(self, tally: SourceTally):
        self._tally = tally
        # A tally of its own: a repeated row is a row here.
        self._ids = Ids(SourceTally())
        self._repeats: Counter[str] = Counter()

    def rename(self, row: Row, *, counted: bool) -> Row:
        """Return a row under an id that no earlier row has.

        Args:
            row: a row.
            counted: whether the id was in the file, so that a new one is counted.
        """
        content = [[turn["role"], turn["content"]] for turn in row["prompt"] + row["completion"]]
        name = self._ids.claim(row["id"], content)
        self._tally.shared_ids += counted and name not in (None, row["id"])
        while name is None:
            self._repeats[row["id"]] += 1
            name = self._ids.claim(content_id(row["id"], self._repeats[row["id"]]), content)
        return row | {"id": name}


def rows_of(
    record: Record, where: str, templates: Templates, method: str, tally: SourceTally
) -> list[Row]:
    """Return a record as rows of the config `instructions`: one, or one for each instance."""
    if isinstance(record.get("instances"), list):
        task = read_task(record, where)
        return [
            row_of(
                replace(task, id=f"{task.id}#{place}" if place else task.id),
                Entry(task.instruction, instance.input, instance.output),
                templates,
                method,
            )
            for place, instance in enumerate(task.instances or (Instance("", ""),))
        ]

    entry = read_entry(record, where, tally)
    label = truth(record.get("is_classification"), "is_classification", where)
    name = id_in(record) or id_of(entry)
    task = Task(name, entry.instruction, is_classification=label, context=entry.context)
    made = row_of(task, entry, templates, method)
    return [made | kept(record) if is_own(record) else made]


def row_of(task: Task, entry: Entry, templates: Templates, method: str) -> Row:
    """Return what a record says as a row."""
    asked = replace(task, instances=(Instance(entry.input, entry.output),))
    (prompt,) = prompts_of([asked], templates)
    return describe(prompt, method) | {
        "id": task.id,
        "parents": [],
        "completion": conversation(entry.replies) or assistant(entry.output),
        "output": entry.output,
    }


def kept(record: Record) -> Row:
    """Return the columns of a row of this project, its id and parents included."""
    names = [*arrow_schema("instructions").names, REASONING]
    return {name: record[name] for name in names if record.get(name) is not None}


def fields(row: Row) -> dict[str, str]:
    """Return the fields that a judge's rubric can use: `instruction` and `response`.

    The instruction of a conversation is the whole conversation, with the roles of its turns.
    """
    asked = [(turn["role"], turn["content"]) for turn in row["prompt"]]
    answered = [turn["content"] for turn in row["completion"] if turn["role"] == "assistant"]
    instruction = asked[0][1] if len(asked) == 1 else transcript(tuple(asked))
    return {"instruction": instruction, "response": answered[-1] if answered else ""}
