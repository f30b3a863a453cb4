"""Read records from JSONL, JSON, CSV, TSV and Parquet files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.sources.encoding import lines_of, text_of

Record = Mapping[str, Any]
Records = Iterator[tuple[str, Record]]
"""Pairs of a place ("data.jsonl, line 3") and a record."""
BATCH = 1024
"""Rows of a Parquet file that are in memory at once: a few megabytes of text."""
LONGEST_CELL = 1 << 30
"""Characters of the longest cell of a CSV file. Python's default of 131,072 is less than a long
document."""


def from_jsonl(path: Path) -> Records:
    """Yield the records of a file with a JSON object on each line."""
    # Some programs write a JSON list into a file with this ending.
    first = next((line for line in lines_of(path) if line.strip()), "")
    is_list = first.lstrip().startswith("[")
    return json_records(document(path), path) if is_list else json_lines(path)


def json_lines(path: Path) -> Records:
    """Yield the object of each line, without the empty lines."""
    for number, line in enumerate(lines_of(path), 1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, checked(parsed(line, where), where)


def json_records(data: Any, path: Path) -> Records:
    """Yield the records of a JSON file.

    Args:
        data: What `document` returned: a list of objects, one object, or None.
        path: The file. If `data` is None, it has an object on each line.
    """
    if data is None:
        return json_lines(path)
    rows = [data] if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise UserError(f"{path}: this is neither a list of objects nor an object that holds one")
    return numbered(rows, str(path))


def document(path: Path) -> Any:
    """Return what a JSON file holds, or None if it holds an object on each line."""
    text = text_of(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        # A second object follows the first: the file holds JSON lines.
        if error.msg == "Extra data":
            return None
        place = f"{path}, line {error.lineno}"
        raise UserError(f"{place}: not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error})") from error


def parsed(line: str, where: str) -> Any:
    """Return the JSON value of a line. Raises UserError if it is none."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
    # A number of thousands of digits, or thousands of lists in each other.
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error})") from error


def checked(record: object, where: str) -> Record:
    """Return a record that is an object. Raises UserError for any other value."""
    if not isinstance(record, dict):
        raise UserError(f"{where}: not an object with columns but {type(record).__name__}")
    return record


def from_csv(path: Path) -> Records:
    """Yield the records of a file with a first line of column names."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(lines_of(path), delimiter=delimiter_of(path), strict=True)
    start = 1
    try:
        names = column_names(next(reader, []), path)
        start = reader.line_num + 1
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            start = reader.line_num + 1
            if cells:
                yield where, dict(zip(names, fitted(cells, len(names), where), strict=True))
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: not CSV ({error})") from error


def delimiter_of(path: Path) -> str:
    """Return what separates the columns. Excel writes semicolons where the comma is decimal."""
    if ".tsv" in path.name.lower():
        return "\t"
    header = next(lines_of(path), "")
    found = [sign for sign in ",;\t" if sign in header]
    return found[0] if found else ","


def column_names(cells: list[str], path: Path) -> list[str]:
    """Return the names of the columns. Raises UserError if two columns have one name."""
    names = [cell.strip() or f"column {place}" for place, cell in enumerate(cells, 1)]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UserError(f"{path}, line 1: two columns are called {name!r}; rename one")
    return names


def fitted(cells: list[str], columns: int, where: str) -> list[str]:
    """Return the cells of a line, one for each column. Raises UserError if they do not fit."""
    # A spreadsheet writes empty cells where another line has more columns.
    surplus = any(cell.strip() for cell in cells[columns:])
    if surplus or len(cells) < columns:
        raise UserError(f"{where}: {columns} columns expected, as in the first line")
    return cells[:columns]


def from_parquet(path: Path) -> Records:
    """Yield the records of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=BATCH))
            yield from numbered(chain.from_iterable(batches), str(path))
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not Parquet ({str(error).splitlines()[0]})") from error


def numbered(rows: Iterable[Any], name: str) -> Records:
    """Yield the rows, each with its place. Raises UserError for a row that is no object."""
    for place, row in enumerate(rows, 1):
        where = f"{name}, row {place}"
        yield where, checked(row, where)
