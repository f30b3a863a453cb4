"""The rows of a run: kept in SQLite by the position of the item they come from, exported to Parquet in that order."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.json_bytes import dumps, loads
from datagen.schema import Accepted, Outcome, Row, arrow_schema
from datagen.teacher.journal import connect_database

if TYPE_CHECKING:
    import pyarrow as pa

GATHER_S = 0.1
"""Rows that come within this time share a transaction."""
BATCH = 2048
"""Rows a Parquet row group holds, and the memory that writing it takes."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    position INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    config   TEXT NOT NULL,
    reason   TEXT,
    row      BLOB NOT NULL,
    PRIMARY KEY (position, part)
)
"""


class Rows:
    """Accepted and rejected rows on disk. What is written to an item is there whole or, after a kill, not at all."""

    def __init__(self, path: Path):
        self._path, self._database = path, connect_database(path, page_bytes=1 << 14)
        self._database.execute(SCHEMA)
        self.counts: Counter[tuple[str, str | None]] = self._count()
        """Rows by config and reason, which is None for accepted ones."""
        self._begun = 0.0

    @property
    def rejected(self) -> int:
        return sum(number for (config, _), number in self.counts.items() if config == "rejected")

    @property
    def accepted(self) -> int:
        return self.counts.total() - self.rejected

    def write(self, position: int, outcomes: Sequence[Outcome]) -> None:
        """All rows of an item. Items of a moment share a transaction, which the journal can make again after a kill."""
        assert outcomes, "an item ends accepted or rejected, never without a trace"
        rows = []
        for part, outcome in enumerate(outcomes):
            if isinstance(outcome, Accepted):
                config, reason, row = outcome.config, None, outcome.row
            else:
                config, reason, row = "rejected", outcome.reason, outcome.row | {"reason": outcome.reason}
            rows.append((position, part, config, reason, dumps(row)))
            self.counts[config, reason] += 1
        now = time.monotonic()
        with self._writing():
            if not self._database.in_transaction:
                self._database.execute("BEGIN")
                self._begun = now
            self._database.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)
        if now - self._begun > GATHER_S:
            self.commit()

    def commit(self) -> None:
        if self._database.in_transaction:
            with self._writing():
                self._database.execute("COMMIT")

    def close(self) -> None:
        self.commit()
        self._database.close()

    def done(self, items: int) -> bytearray:
        """1 for every position that has rows, 0 for the others; a byte each, for memory's sake."""
        found = bytearray(items)
        for (position,) in self._database.execute("SELECT position FROM rows WHERE part = 0"):
            found[position] = 1
        return found

    def unbroken(self) -> int:
        """The first position that has no rows."""
        first = 0
        for (position,) in self._database.execute("SELECT DISTINCT position FROM rows ORDER BY position"):
            if position != first:
                break
            first += 1
        return first

    def drop(self, reason: str) -> bool:
        """Delete the rows of every item that has one rejected for `reason`; whether there was any."""
        query = "DELETE FROM rows WHERE position IN (SELECT position FROM rows WHERE reason = ?)"
        dropped = self._database.execute(query, (reason,)).rowcount > 0
        self.counts = self._count()
        return dropped

    def drop_from(self, position: int) -> None:
        """Delete the rows from this position on."""
        self._database.execute("DELETE FROM rows WHERE position >= ?", (position,))
        self.counts = self._count()

    def by_item(self) -> Iterator[list[Row]]:
        """The rows of every item, in order."""
        found = self._database.execute("SELECT position, row FROM rows ORDER BY position, part")
        for _, group in itertools.groupby(found, key=lambda pair: pair[0]):
            yield [loads(row) for _, row in group]

    def export(self, folder: Path, configs: Sequence[str], *, family: str) -> None:
        """Write each config's rows in order, a batch at a time, and put the files in place whole."""
        import pyarrow.parquet as pq

        schemas = {config: arrow_schema(config, family=family) for config in configs}
        partial = {config: folder / f"{config}.partial" for config in configs}
        waiting: dict[str, list[bytes]] = {config: [] for config in configs}
        with ExitStack() as stack:
            files = {
                c: stack.enter_context(pq.ParquetWriter(partial[c], schemas[c], compression="zstd")) for c in configs
            }
            for config, row in self._database.execute("SELECT config, row FROM rows ORDER BY position, part"):
                waiting[config].append(row)
                if len(waiting[config]) == BATCH:
                    files[config].write_table(table(waiting[config], schemas[config]))
                    waiting[config] = []
            for config in configs:
                if waiting[config]:
                    files[config].write_table(table(waiting[config], schemas[config]))
        for config in configs:
            os.replace(partial[config], folder / f"{config}.parquet")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raises UserError where the disk takes no more; what was not committed is gone then, whole items of it."""
        try:
            yield
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise UserError(f"{self._path} cannot be written: {error}") from None

    def _count(self) -> Counter[tuple[str, str | None]]:
        query = "SELECT config, reason, count(*) FROM rows GROUP BY config, reason"
        return Counter({(config, reason): number for config, reason, number in self._database.execute(query)})


def table(rows: Sequence[bytes], schema: pa.Schema) -> Any:
    """JSON rows as Arrow, in one chunk. Columns that a row lacks are null, others are left out."""
    import pyarrow as pa
    import pyarrow.json

    lines = b"\n".join(rows)
    return pa.json.read_json(
        pa.BufferReader(lines),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )
