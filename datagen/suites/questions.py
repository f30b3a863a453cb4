"""Read questions from a user's own file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from datagen.answers.extract import check_type
from datagen.errors import UserError
from datagen.sources.files import read_records
from datagen.sources.formats import Record
from datagen.sources.tally import SourceTally
from datagen.sources.values import holds_something, text_in
from datagen.suites.question import Question, make
from datagen.suites.spool import Spool


def questions_from_file(
    path: str | Path,
    *,
    question: str = "question",
    answer: str = "answer",
    answer_type: str,
    limit: int | None = None,
    tally: SourceTally | None = None,
) -> Sequence[Question]:
    """Read the questions of a file, a folder or a dataset on the Hub.

    Args:
        path: Anything that `datagen.sources.files.read_records` reads.
        question: The column with the questions. The options of a choice belong into this text.
        answer: The column with the gold answers, or with worked solutions that end in "The answer
            is ...". Empty if there are no answers.
        answer_type: "number", "choice", "yesno" or "text".
        limit: Read at most this many questions; by default all.
        tally: Counts the rows, and records the columns that are not read.

    Returns:
        The questions. They stay on disk until they are used.

    Raises:
        UserError: Something cannot be read. The message names the line.
    """
    check_type(answer_type)
    tally = tally or SourceTally()
    columns = (question, answer)

    def read(where: str, record: Record) -> Question:
        tally.rows += 1
        tally.unread(c for c in record if c not in columns and holds_something(record[c]))
        text = cell(record, question, where) if question else None
        gold = gold_in(record, answer, answer_type, where) if answer else None
        if not text or not text.strip():
            raise UserError(f"{where}: the column {question!r} is empty")

        # A gold answer that cannot be read would count every chain as wrong.
        found = make("file", text, gold, answer_type=answer_type)
        if gold is not None and found.gold is None:
            raise UserError(f"{where}: no {answer_type} can be read from the answer {gold[:60]!r}")
        return found

    found = islice(read_records(path, tally), limit)
    questions = Spool(read(where, record) for where, record in found)
    if not questions:
        raise UserError(f"{path}: no rows")
    return questions


def cell(record: Record, column: str, where: str) -> str | None:
    """Return the text in a column of a record. Raises UserError if there is no such column."""
    if column not in record:
        raise UserError(
            f"{where}: no column {column!r}; the columns are: {', '.join(map(str, record))}"
        )
    return text_in(record[column], column, where)


def gold_in(record: Record, column: str, answer_type: str, where: str) -> str | None:
    """Return the gold answer in a column of a record. Raises UserError if there is none."""
    if answer_type == "yesno" and isinstance(record.get(column), bool):
        return "yes" if record[column] else "no"
    return cell(record, column, where)
