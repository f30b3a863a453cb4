"""Questions and records from files: JSONL, JSON, CSV, Parquet, dataset folders and Hub ids."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.errors import UserError

Record = Mapping[str, Any]
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
BATCH = 1024
"""Rows of a Parquet file in memory at once."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def read_records(path: str | Path) -> Iterator[tuple[str, Record]]:
    """(where, record) of every row; `where` names file and line.

    Raises UserError for what cannot be read.
    """
    source = Path(path)
    if source.is_dir():
        return from_folder(source)
    if not source.is_file():
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
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start})") from error


def lines_of(path: Path) -> Iterator[str]:
    """One at a time, however large the file is."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            try:
                yield line.decode("utf-8" if start else "utf-8-sig")
            except UnicodeDecodeError as error:
                raise UserError(f"{path}: not UTF-8 (byte {start + error.start})") from error
            start += len(line)


def from_jsonl(path: Path) -> Iterator[tuple[str, Record]]:
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
    """A list of objects, an object that holds one ("examples", "data", ...), or JSON lines in a
    file of this name.
    """
    text = text_of(path)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # a second object follows: JSON lines
            yield from from_jsonl(path)
            return
        raise UserError(
            f"{path}, line {error.lineno}: not JSON ({error.msg} at column {error.colno})"
        ) from error
    if isinstance(data, dict):
        data = next((value for value in data.values() if is_table(value)), [data])
    if not isinstance(data, list):
        raise UserError(f"{path}: neither a list of objects nor an object that holds one")
    for place, record in enumerate(data, 1):
        yield f"{path}, row {place}", checked(record, f"{path}, row {place}")


def is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def checked(record: object, where: str) -> Record:
    if not isinstance(record, dict):
        raise UserError(f"{where}: not an object with columns but {type(record).__name__}")
    return record


def from_csv(path: Path) -> Iterator[tuple[str, Record]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
        try:
            for record in reader:
                where = f"{path}, line {reader.line_num}"
                if None in record or None in record.values():
                    raise UserError(
                        f"{where}: {len(reader.fieldnames or ())} columns expected, as in the "
                        "first line"
                    )
                yield where, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise UserError(f"{path}, line {reader.line_num + 1}: not CSV ({error})") from error


def from_parquet(path: Path) -> Iterator[tuple[str, Record]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=BATCH)
            yield from numbered((row for batch in batches for row in batch.to_pylist()), str(path))
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not Parquet ({str(error).splitlines()[0]})") from error


def from_folder(path: Path) -> Iterator[tuple[str, Record]]:
    """What `save_to_disk` wrote, or a folder that `load_dataset` opens, such as a published
    version.
    """
    from datasets import load_dataset, load_from_disk

    saved = (path / "state.json").exists() or (path / "dataset_dict.json").exists()
    try:
        data = load_from_disk(str(path)) if saved else load_dataset(str(path))
    except Exception as error:  # whatever the loader raises: the person needs one line
        raise UserError(f"{path}: cannot be opened as a dataset ({first_line(error)})") from error
    return numbered(only_split(data, str(path)), str(path))


def from_hub(name: str) -> Iterator[tuple[str, Record]]:
    from datasets import load_dataset

    try:
        data = load_dataset(name)
    except (
        Exception
    ) as error:  # whatever the network, the Hub or the loader raises: the person needs one line
        raise UserError(
            f"{name}: neither a file nor a dataset that the Hub gives ({first_line(error)})"
        ) from error
    return numbered(only_split(data, name), name)


def only_split(data: Any, name: str) -> Iterable[Record]:
    """The rows of a dataset; of several splits "train", else the only one."""
    if not isinstance(data, dict):
        return data
    if "train" in data or len(data) == 1:
        return data.get("train") or next(iter(data.values()))
    raise UserError(
        f"{name}: has the splits {', '.join(data)} and no train: save the one that is meant as "
        "a file"
    )


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def numbered(rows: Sequence[Record] | Iterable[Record], name: str) -> Iterator[tuple[str, Record]]:
    return ((f"{name}, row {place}", row) for place, row in enumerate(rows, 1))
