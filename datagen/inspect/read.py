"""The rows of a run as a stream, whether its Parquet files are there yet or not."""

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
"""Columns that say again what others say, or that the page does not show."""
BATCH = 1024
"""Rows in memory at once."""


@dataclass(frozen=True)
class Entry:
    """A row of a run, and what became of it."""

    row: Row
    verdict: str
    """`accepted`, or the reason it was rejected for."""
    config: str

    @property
    def accepted(self) -> bool:
        return self.verdict == ACCEPTED

    @property
    def asked(self) -> str:
        """The instruction, or the question."""
        return self.row.get("instruction") or self.row.get("question") or ""

    @property
    def instruction(self) -> str:
        """What was asked, with its input."""
        return f"{self.asked}\n\n{given}" if (given := self.row.get("input")) else self.asked

    @property
    def response(self) -> str:
        """The output, or the chain of thought."""
        return self.row.get("output") or self.row.get("rationale") or ""


@dataclass(frozen=True)
class Source:
    """A run, or a published version, and how to read it."""

    path: Path
    config: dict[str, Any]
    """What was asked: config.json, or the same of a version's lineage.json."""
    stats: dict[str, Any]
    """stats.json; empty while the run is not finished, and for a version."""
    files: dict[str, list[Path]]
    """Parquet files by config; empty for a run that is not finished."""
    published: bool

    @property
    def name(self) -> str:
        return (
            f"{self.config['name']} {self.config['version']}" if self.published else self.path.name
        )

    @property
    def finished(self) -> bool:
        return bool(self.files)

    def entries(self) -> Iterator[Entry]:
        """All rows: the accepted first where the run is finished, in its order otherwise.

        Raises UserError.
        """
        if not self.finished:
            yield from database_entries(self.path / "rows.sqlite")
            return
        for config, files in self.files.items():
            for file in files:
                for row in parquet_rows(file):
                    yield entry(row, config, row.get("reason"))


def open_source(path: Path) -> Source:
    """The run in a folder. Raises UserError where there is none."""
    path = path.resolve()
    if not path.is_dir():
        raise UserError(f"no run folder {path}")
    if (path / "lineage.json").is_file():
        files = {config: sorted((path / config).glob("*.parquet")) for config in CONFIGS}
        return Source(
            path, told(read_lineage(path)), {}, {c: f for c, f in files.items() if f}, True
        )
    if not (path / "config.json").is_file():
        raise UserError(f"{path} is no run folder: it has no config.json")
    config = read_json(path / "config.json")
    if not (path / "stats.json").is_file():
        return Source(path, config, {}, {}, False)
    parquet = {c: [file] for c in CONFIGS if (file := path / f"{c}.parquet").is_file()}
    return Source(path, config, read_json(path / "stats.json"), parquet, False)


def told(lineage: dict[str, Any]) -> dict[str, Any]:
    """What a version's run was asked, as a run's config.json has it; of several each under the name
    of its family.
    """
    about, runs = {key: lineage[key] for key in ("name", "version", "created")}, lineage["runs"]
    asked = {
        family: {key: run[key] for key in CONFIG_KEYS if key in run} for family, run in runs.items()
    }
    if len(asked) == 1:
        return about | next(iter(asked.values()))
    return (
        about | asked | {"method": ", ".join(dict.fromkeys(run["method"] for run in runs.values()))}
    )


def entry(row: Row, config: str, reason: str | None) -> Entry:
    return Entry(row, (reason or "rejected") if config == "rejected" else ACCEPTED, config)


def parquet_rows(file: Path) -> Iterator[Row]:
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
    """What an unfinished run has so far; it may go on meanwhile, nothing is locked."""
    if not file.is_file():
        raise UserError(f"{file.parent} holds no rows yet: it has no rows.sqlite")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            for config, reason, row in stored(database):
                yield entry(json.loads(row), config, reason)
    except (sqlite3.Error, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
