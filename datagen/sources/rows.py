"""Read instructions with their responses as rows, whoever wrote them."""

from __future__ import annotations

from collections import Counter

from datagen.prompts.templates import Templates
from datagen.schema import Row, arrow_schema, assistant, content_id
from datagen.sources.columns import Entry, is_own, read_entry
from datagen.sources.formats import Record
from datagen.sources.instructions import conversation, describe, prompts_of
from datagen.sources.tally import Ids, Tally
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
    tally: Tally | None = None,
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
    tally = tally or Tally()
    names = Names(tally)
    rows: list[Row] = []
    for where, record in records(source, tally):
        if limit is not None and len(rows) >= limit:
            break
        tally.rows += 1
        try:
            rows += [names.rename(row) for row in rows_of(record, where, templates, method, tally)]
        except Unusable as error:
            tally.left_out[error.reason] += 1
    if not rows:
        raise nothing_in(source, "rows", tally)
    return rows[:limit]


class Names:
    """Gives every row an id of its own, repeated rows too, because all of them are kept."""

    def __init__(self, tally: Tally):
        self._tally = tally
        # A tally of its own: a repeated row is a row here.
        self._ids = Ids(Tally())
        self._repeats: Counter[str] = Counter()

    def rename(self, row: Row) -> Row:
        """Return a row under an id that no earlier row has."""
        content = [[turn["role"], turn["content"]] for turn in row["prompt"] + row["completion"]]
        name = self._ids.claim(row["id"], content)
        self._tally.shared_ids += name not in (None, row["id"])
        while name is None:
            self._repeats[row["id"]] += 1
            name = self._ids.claim(content_id(row["id"], self._repeats[row["id"]]), content)
        return row | {"id": name}


def rows_of(
    record: Record, where: str, templates: Templates, method: str, tally: Tally
) -> list[Row]:
    """Return a record as rows of the config `instructions`: one, or one for each instance."""
    if isinstance(record.get("instances"), list):
        task = read_task(record, where)
        return [
            row_of(task, Entry(task.instruction, i.input, i.output), templates, method)
            for i in task.instances or (Instance("", ""),)
        ]

    entry = read_entry(record, where, tally)
    label = truth(record.get("is_classification"), "is_classification", where)
    task = Task(id_in(record) or id_of(entry), entry.instruction, (), label, entry.context)
    made = row_of(task, entry, templates, method)
    return [made | kept(record) if is_own(record) else made]


def row_of(task: Task, entry: Entry, templates: Templates, method: str) -> Row:
    """Return what a record says as a row."""
    instance = Instance(entry.input, entry.output)
    asked = Task(task.id, task.instruction, (instance,), task.is_classification, task.context)
    (prompt,) = prompts_of([asked], templates)
    return describe(prompt, method) | {
        "id": task.id,
        "parents": [],
        "completion": conversation(entry.replies) or assistant(entry.output),
        "output": entry.output,
    }


def kept(record: Record) -> Row:
    """Return the columns of a row of this project, its id and parents included."""
    names = arrow_schema("instructions").names
    return {name: record[name] for name in names if record.get(name) is not None}


def fields(row: Row) -> dict[str, str]:
    """Return the fields that a judge's rubric can use: `instruction` and `response`.

    The instruction of a conversation is the whole conversation, with the roles of its turns.
    """
    asked = [(turn["role"], turn["content"]) for turn in row["prompt"]]
    answered = [turn["content"] for turn in row["completion"] if turn["role"] == "assistant"]
    instruction = asked[0][1] if len(asked) == 1 else transcript(tuple(asked))
    return {"instruction": instruction, "response": answered[-1] if answered else ""}
