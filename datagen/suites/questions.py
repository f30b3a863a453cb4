"""Questions from a user's own file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from datagen.answers.extract import check_type
from datagen.errors import UserError
from datagen.sources.files import Record, read_records
from datagen.suites.question import Question, make
from datagen.suites.spool import Spool


def questions_from_file(
    path: str | Path,
    *,
    question: str = "question",
    answer: str = "answer",
    answer_type: str,
    limit: int | None = None,
) -> Sequence[Question]:
    """The questions of a JSONL, JSON, CSV or Parquet file, a dataset folder, or a dataset on the
    Hub ("ORG/NAME").

    With `limit` the first so many. `question` and `answer` name the columns; `answer=""` says that
    there are no answers. An answer may be a worked solution that ends in a trigger. Choice options
    belong into the question text. Of a dataset's splits "train" is read, or the only one. Raises
    UserError, with the line, for what cannot be read.
    """
    check_type(answer_type)

    def read(where: str, record: Record) -> Question:
        text, gold = (
            cell(record, column, where) if column else None for column in (question, answer)
        )
        if not text or not text.strip():
            raise UserError(f"{where}: the column {question!r} is empty")
        found = make("file", text, gold, answer_type=answer_type)
        if gold is not None and found.gold is None:
            raise UserError(f"{where}: no {answer_type} can be read from the answer {gold[:60]!r}")
        return found

    questions = Spool(read(where, record) for where, record in islice(read_records(path), limit))
    if not questions:
        raise UserError(f"{path}: no rows")
    return questions


def cell(record: Record, column: str, where: str) -> str | None:
    if column not in record:
        raise UserError(
            f"{where}: no column {column!r}; the columns are: {', '.join(map(str, record))}"
        )
    value = record[column]
    return None if value is None else str(value)
