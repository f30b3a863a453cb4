"""Read the rows of a run one after another, whether the run is finished or not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.run.rows import stored
from datagen.schema import CONFIGS, Row
from datagen.versions.lineage import CONFIG_KEYS, read_json, read_lineage

ACCEPTED = "accepted"
NOT_READ = {"prompt", "completion", "method", "system", "teacher_topk", "teacher_topk_prompt"}
"""Columns that repeat other columns, or that the page does not show. Stored probabilities are many
times larger than the text."""
BATCH = 1024
"""Rows of a Parquet file that are in memory at once: a few megabytes of text."""


@dataclass(frozen=True)
class Entry:
    """A row of a run, and whether it was accepted."""

    row: Row
    verdict: str
    """`accepted`, or the reason for which the row was rejected."""
    config: str

    @property
    def accepted(self) -> bool:
        """Whether the run keeps the row."""
        return self.verdict == ACCEPTED

    @property
    def asked(self) -> str:
        """The instruction or the question, without its input."""
        return self.row.get("instruction") or self.row.get("question") or ""

    @property
    def instruction(self) -> str:
        """The instruction or the question, with its input."""
        return f"{self.asked}\n\n{given}" if (given := self.row.get("input")) else self.asked

    @property
    def response(self) -> str:
        """The output or the chain of thought."""
        return self.row.get("output") or self.row.get("rationale") or ""


@dataclass(frozen=True)
class Source:
    """A run or a published version, and how to read it."""

    path: Path
    config: dict[str, Any]
    """The configuration: config.json, or the same keys of a version's lineage.json."""
    stats: dict[str, Any]
    """stats.json. Empty for a version, and while the run is not finished."""
    files: dict[str, list[Path]]
    """The Parquet files of each config. Empty for a run that is not finished."""
    published: bool

    @property
    def name(self) -> str:
        """The name for the page's title."""
        if self.published:
            return f"{self.config['name']} {self.config['version']}"
        return self.path.name

    @property
    def finished(self) -> bool:
        """Whether the rows are in their final files."""
        return bool(self.files)

    def entries(self) -> Iterator[Entry]:
        """Yield all rows: the accepted rows first, or in the order of the run if it is unfinished.

        Raises UserError if the rows cannot be read.
        """
        if not self.finished:
            yield from database_entries(self.path / "rows.sqlite")
            return
        for config, files in self.files.items():
            for file in files:
                for row in parquet_rows(file):
                    yield entry(row, config, row.get("reason"))


def open_source(path: Path) -> Source:
    """Open the run or the version in a folder. Raises UserError if there is none."""
    path = path.resolve()
    if not path.is_dir():
        raise UserError(f"no run folder {path}")

    if (path / "lineage.json").is_file():
        found = {config: sorted((path / config).glob("*.parquet")) for config in CONFIGS}
        files = {config: files for config, files in found.items() if files}
        return Source(path, recorded_settings(read_lineage(path)), {}, files, published=True)

    if not (path / "config.json").is_file():
        raise UserError(f"{path} is no run folder: it has no config.json")

    # A run writes its statistics last. Without them, its Parquet files may be incomplete.
    config = read_json(path / "config.json")
    if not (path / "stats.json").is_file():
        return Source(path, config, {}, {}, False)
    parquet = {c: [file] for c in CONFIGS if (file := path / f"{c}.parquet").is_file()}
    return Source(path, config, read_json(path / "stats.json"), parquet, False)


def recorded_settings(lineage: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in a version's lineage, in the form of a run's config.json.

    If the version holds several runs, each stands under the name of its family.
    """
    about = {key: lineage[key] for key in ("name", "version", "created")}
    runs = lineage["runs"]
    settings = {
        family: {key: run[key] for key in CONFIG_KEYS if key in run} for family, run in runs.items()
    }
    if len(settings) == 1:
        return about | next(iter(settings.values()))

    methods = dict.fromkeys(run["method"] for run in runs.values())
    return about | settings | {"method": ", ".join(methods)}


def entry(row: Row, config: str, reason: str | None) -> Entry:
    """Return a row with its verdict."""
    return Entry(row, (reason or "rejected") if config == "rejected" else ACCEPTED, config)


def parquet_rows(file: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file without the columns of NOT_READ."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            columns = [column for column in parquet.schema_arrow.names if column not in NOT_READ]
            for batch in parquet.iter_batches(batch_size=BATCH, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from None


def database_entries(file: Path) -> Iterator[Entry]:
    """Yield the rows that an unfinished run has so far.

    The database is opened for reading only, so the run can continue meanwhile.
    """
    if not file.is_file():
        raise UserError(f"{file.parent} holds no rows yet: it has no rows.sqlite")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            for config, reason, row in stored(database):
                yield entry(json.loads(row), config, reason)
    except (sqlite3.Error, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
