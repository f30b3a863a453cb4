"""Read records from any source: a file, a dataset folder, or a dataset on the Hub.

This is the only reader. Every command that reads a user's data reads it here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.sources.formats import (
    Record,
    Records,
    document,
    from_csv,
    from_jsonl,
    from_parquet,
    json_records,
    numbered,
)
from datagen.sources.tally import SourceTally

__all__ = ["SUFFIXES", "Record", "Records", "ending", "first_line", "read_records", "split_of"]

READERS: dict[str, Callable[[Path], Records]] = {
    ".jsonl": from_jsonl,
    ".csv": from_csv,
    ".tsv": from_csv,
    ".parquet": from_parquet,
}
"""Readers of formats without splits."""
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
ALIASES = {".ndjson": ".jsonl", ".jsonlines": ".jsonl", ".jl": ".jsonl", ".pq": ".parquet"}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
SPLIT = re.compile(r"(?P<source>.+):(?P<split>[\w.-]+)")
ONE_RECORD = {"instruction", "messages", "conversations", "conversation", "prompt", "question"}
"""Columns by which an object in a JSON file is a record, and no table of records."""


def read_records(source: str | Path, tally: SourceTally | None = None) -> Records:
    """Yield the records of a source, each with its place.

    Args:
        source: A file, a dataset folder, or "ORG/NAME" on the Hub. ":SPLIT" behind it names a
            split; by default "train" is read, or the only split.
        tally: Records the splits that are not read.

    Returns:
        Pairs of a place ("data.jsonl, line 3") and a record.

    Raises:
        UserError: The source or one of its records cannot be read. Records are read one after
            another, so this can happen late.
    """
    tally = tally or SourceTally()
    name, split = split_of(str(source))
    path = Path(name)
    if path.is_dir():
        return from_folder(path, split, tally)
    if not path.is_file():
        # "data/questions.jsonl" looks like an id on the Hub, but is a file that is missing.
        if HUB_ID.fullmatch(name) and ending(path) not in SUFFIXES:
            return from_hub(name, split, tally)
        raise UserError(f"no such file: {source}")
    return from_file(path, split, tally)


def split_of(source: str) -> tuple[str, str | None]:
    """Return the name of a source, and the split that stands behind its last colon, if any."""
    found = SPLIT.fullmatch(source)
    if found is None or Path(source).exists():
        return source, None
    exists = Path(found["source"]).exists() or HUB_ID.fullmatch(found["source"])
    return (found["source"], found["split"]) if exists else (source, None)


def ending(path: Path) -> str:
    """Return the ending of a file's name in small letters, without .gz: ".jsonl" for "A.JSONL.gz".

    Other names of a format give its usual one.
    """
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    return ALIASES.get(suffix, suffix)


def from_file(path: Path, split: str | None, tally: SourceTally) -> Records:
    """Yield the records of a file. Raises UserError for a file of an unknown format."""
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    suffix = ending(path)
    if suffix not in SUFFIXES:
        kind = suffix or "a file without a suffix"
        raise UserError(f"{path}: cannot read {kind}; known are {', '.join(SUFFIXES)}")

    data = document(path) if suffix == ".json" else None
    if tables := tables_in(data):
        return numbered(only_split(tables, str(path), split, tally), str(path))
    if split is not None:
        raise UserError(f"{path}:{split}: the file has no splits; write {path}")
    return json_records(data, path) if suffix == ".json" else READERS[suffix](path)


def tables_in(data: Any) -> dict[str, Any]:
    """Return the lists of objects that the object in a JSON file holds ("examples", "train", ...).

    There are none if the file holds something else, or if the object is a record itself.
    """
    if not isinstance(data, dict) or ONE_RECORD & data.keys():
        return {}
    return {name: value for name, value in data.items() if is_table(value)}


def is_table(value: object) -> bool:
    """Return whether a value is a list of objects."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def from_folder(path: Path, split: str | None, tally: SourceTally) -> Records:
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
    return numbered(only_split(data, str(path), split, tally), str(path))


def from_hub(name: str, split: str | None, tally: SourceTally) -> Records:
    """Yield the records of a dataset on the Hub."""
    from datasets import load_dataset

    try:
        data = load_dataset(name)
    # The network, the Hub and the loader raise errors of many types. The user needs one line.
    except Exception as error:
        raise UserError(
            f"{name}: this is no file, and it cannot be loaded from the Hub ({first_line(error)})"
        ) from error
    return numbered(only_split(data, name, split, tally), name)


def only_split(data: Any, name: str, split: str | None, tally: SourceTally) -> Any:
    """Return the rows of one split: the named one, "train", or the only one.

    Raises UserError if there is no such split, or several of which none is named train.
    """
    if not isinstance(data, dict):
        if split is not None:
            raise UserError(f"{name}:{split}: the dataset has no splits; write {name}")
        return data
    default = "train" if len(data) > 1 else next(iter(data), "train")
    chosen = split or default
    if chosen not in data:
        raise UserError(
            f"{name} has the splits {', '.join(map(str, data))}, and none is named {chosen}: write "
            f"{name}:SPLIT"
        )
    tally.splits += [other for other in data if other != chosen]
    return data[chosen]


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
