"""Read records from JSONL, JSON, CSV and Parquet files, dataset folders and the Hub."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from datagen.errors import UserError

Record = Mapping[str, Any]
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
BATCH = 1024
"""Rows of a Parquet file that are in memory at once: a few megabytes of text."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def read_records(path: str | Path) -> Iterator[tuple[str, Record]]:
    """Yield the records of a source, each with its place.

    Args:
        path: A file, a dataset folder, or "ORG/NAME" on the Hub.

    Returns:
        Pairs of a place ("data.jsonl, line 3") and a record.

    Raises:
        UserError: The source or one of its records cannot be read. Records are read one after
            another, so this can happen late.
    """
    source = Path(path)
    if source.is_dir():
        return from_folder(source)
    if not source.is_file():
        # "data/questions.jsonl" looks like an id on the Hub, but is a file that is missing.
        if HUB_ID.fullmatch(str(path)) and source.suffix not in SUFFIXES:
            return from_hub(str(path))
        raise UserError(f"no such file: {path}")
    if source.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    readers = {
        ".jsonl": from_jsonl,
        ".json": from_json,
        ".csv": from_csv,
        ".tsv": from_csv,
        ".parquet": from_parquet,
    }
    if source.suffix not in readers:
        kind = source.suffix or "a file without a suffix"
        raise UserError(f"{path}: cannot read {kind}; known are {', '.join(SUFFIXES)}")
    return readers[source.suffix](source)


def text_of(path: Path) -> str:
    """Return the text of a file. Raises UserError if it is not UTF-8."""
    # Windows programs put a byte order mark at the beginning, which `utf-8-sig` skips.
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start})") from error


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file. Only one line is in memory at a time."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            try:
                yield line.decode("utf-8" if start else "utf-8-sig")
            except UnicodeDecodeError as error:
                raise UserError(f"{path}: not UTF-8 (byte {start + error.start})") from error
            start += len(line)


def from_jsonl(path: Path) -> Iterator[tuple[str, Record]]:
    """Yield the records of a file with a JSON object on each line."""
    for number, line in enumerate(lines_of(path), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield where, checked(json.loads(line), where)
            except json.JSONDecodeError as error:
                raise UserError(
                    f"{where}: not JSON ({error.msg} at column {error.colno})"
                ) from error


def from_json(path: Path) -> Iterator[tuple[str, Record]]:
    """Yield the records of a JSON file.

    The file holds a list of objects, an object with such a list in it ("examples", "data", ...), or
    an object on each line.
    """
    text = text_of(path)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        # A second object follows the first: the file holds JSON lines.
        if error.msg == "Extra data":
            yield from from_jsonl(path)
            return
        raise UserError(
            f"{path}, line {error.lineno}: not JSON ({error.msg} at column {error.colno})"
        ) from error

    if isinstance(data, dict):
        data = next((value for value in data.values() if is_table(value)), [data])
    if not isinstance(data, list):
        raise UserError(f"{path}: this is neither a list of objects nor an object that holds one")
    for place, record in enumerate(data, 1):
        yield f"{path}, row {place}", checked(record, f"{path}, row {place}")


def is_table(value: object) -> bool:
    """Return whether a value is a list of objects."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def checked(record: object, where: str) -> Record:
    """Return a record that is an object. Raises UserError for any other value."""
    if not isinstance(record, dict):
        raise UserError(f"{where}: not an object with columns but {type(record).__name__}")
    return record


def from_csv(path: Path) -> Iterator[tuple[str, Record]]:
    """Yield the records of a file with commas or tabs and a first line of column names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
        try:
            for record in reader:
                where = f"{path}, line {reader.line_num}"
                # The reader puts surplus values under None, and None in place of missing ones.
                if None in record or None in record.values():
                    columns = len(reader.fieldnames or ())
                    raise UserError(f"{where}: {columns} columns expected, as in the first line")
                yield where, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise UserError(f"{path}, line {reader.line_num + 1}: not CSV ({error})") from error


def from_parquet(path: Path) -> Iterator[tuple[str, Record]]:
    """Yield the records of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=BATCH))
            yield from numbered(chain.from_iterable(batches), str(path))
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not Parquet ({str(error).splitlines()[0]})") from error


def from_folder(path: Path) -> Iterator[tuple[str, Record]]:
    """Yield the records of a dataset folder.

    The folder was written by `save_to_disk`, or `load_dataset` can open it, such as a version.
    """
    from datasets import load_dataset, load_from_disk

    saved = (path / "state.json").exists() or (path / "dataset_dict.json").exists()
    try:
        data = load_from_disk(str(path)) if saved else load_dataset(str(path))
    # The loader raises errors of many types. The user needs one line.
    except Exception as error:
        raise UserError(f"{path}: cannot be opened as a dataset ({first_line(error)})") from error
    return numbered(only_split(data, str(path)), str(path))


def from_hub(name: str) -> Iterator[tuple[str, Record]]:
    """Yield the records of a dataset on the Hub."""
    from datasets import load_dataset

    try:
        data = load_dataset(name)
    # The network, the Hub and the loader raise errors of many types. The user needs one line.
    except Exception as error:
        raise UserError(
            f"{name}: this is no file, and it cannot be loaded from the Hub ({first_line(error)})"
        ) from error
    return numbered(only_split(data, name), name)


def only_split(data: Any, name: str) -> Iterable[Record]:
    """Return the rows of the split "train", or of the only split.

    Raises UserError if there are several splits and none has this name.
    """
    if not isinstance(data, dict):
        return data
    if "train" in data or len(data) == 1:
        return data.get("train") or next(iter(data.values()))
    raise UserError(
        f"{name} has the splits {', '.join(data)}, and none is named train: save the split that "
        "you want as a file"
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def numbered(rows: Sequence[Record] | Iterable[Record], name: str) -> Iterator[tuple[str, Record]]:
    """Yield the rows, each with its place."""
    return ((f"{name}, row {place}", row) for place, row in enumerate(rows, 1))
