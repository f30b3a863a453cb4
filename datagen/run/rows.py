"""The rows of a run: kept in SQLite by the position of the item they come from, exported to Parquet
in that order.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from datagen.database import connect_database
from datagen.errors import UserError
from datagen.json_bytes import dumps, loads
from datagen.schema import Accepted, Outcome, Row, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

GATHER_S = 0.1
"""Rows that come within this time share a transaction."""
BATCH = 2048
"""Rows a Parquet row group holds, and the memory that writing it takes."""

Kind: TypeAlias = tuple[str, str | None]
"""Config, and the reason of a rejected row."""
CONFIG, REASON = "json_extract(value, '$[0]')", "json_extract(value, '$[1]')"
"""Of an element of `kinds`."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    position INTEGER NOT NULL,
    kinds    TEXT NOT NULL, -- JSON: [config, reason] of every row
    rows     BLOB NOT NULL, -- a line of JSON each
    UNIQUE (position) -- an index of its own, so that items are appended in whatever order they come
)
"""


class Rows:
    """Accepted and rejected rows on disk.

    After a kill, the rows of an item are there whole or not at all.
    """

    def __init__(self, path: Path):
        self._path = path
        self._database = connect_database(path, SCHEMA, page_bytes=1 << 16)
        self._waiting: list[tuple[int, str, bytes]] = []
        self._written = time.monotonic()
        self.counts: Counter[Kind] = self._count()
        """Rows by config and reason; the reason is None for accepted rows."""

    @property
    def rejected(self) -> int:
        """Number of rejected rows."""
        return sum([number for (config, _), number in self.counts.items() if config == "rejected"])

    @property
    def accepted(self) -> int:
        """Number of accepted rows, of all configs."""
        return self.counts.total() - self.rejected

    def accepted_by_config(self) -> dict[str, int]:
        """Accepted rows of each config, in the order of the names."""
        counts = sorted(self.counts.items(), key=str)
        return {config: number for (config, _), number in counts if config != "rejected"}

    def rejected_by_reason(self) -> dict[str, int]:
        """Rejected rows of each reason, in the order of the names."""
        counts = sorted(self.counts.items(), key=str)
        return {reason: number for (_, reason), number in counts if reason}

    def write(self, position: int, outcomes: Sequence[Outcome]) -> None:
        """All rows of an item.

        Items of a moment share a transaction, which the journal can make again after a kill.
        """
        assert outcomes, "an item ends accepted or rejected, never without a trace"
        kinds, rows = zip(*map(kind_and_row, outcomes), strict=True)
        self._waiting.append((position, dumps(kinds).decode(), b"\n".join(map(dumps, rows))))
        for kind in kinds:
            self.counts[kind] += 1
        if time.monotonic() - self._written > GATHER_S:
            self.commit()

    def commit(self) -> None:
        """Raises UserError where the disk takes no more; what was not committed is gone then, whole
        items of it.
        """
        waiting, self._waiting, self._written = self._waiting, [], time.monotonic()
        if not waiting:
            return
        try:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO items VALUES (?, ?, ?)", waiting)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise UserError(f"{self._path} cannot be written: {error}") from None

    def close(self) -> None:
        self.commit()
        self._database.close()

    def done(self, items: int) -> bytearray:
        """1 for every position that has rows, 0 for the others; a byte each, for memory's sake."""
        found = bytearray(items)
        for (position,) in self._execute("SELECT position FROM items"):
            found[position] = 1
        return found

    def unbroken(self) -> int:
        """The first position that has no rows."""
        first = 0
        for (position,) in self._execute("SELECT position FROM items ORDER BY position"):
            if position != first:
                break
            first += 1
        return first

    def drop(self, reason: str) -> bool:
        """Delete the rows of every item that has one rejected for `reason`; whether there was
        any.
        """
        query = (
            f"DELETE FROM items WHERE EXISTS (SELECT 1 FROM json_each(kinds) WHERE {REASON} = ?)"
        )
        dropped = self._execute(query, (reason,)).rowcount > 0
        self.counts = self._count()
        return dropped

    def drop_from(self, position: int) -> None:
        """Delete the rows from this position on."""
        self._execute("DELETE FROM items WHERE position >= ?", (position,))
        self.counts = self._count()

    def by_item(self) -> Iterator[list[Row]]:
        """The rows of every item, in order."""
        for (rows,) in self._execute("SELECT rows FROM items ORDER BY position"):
            yield [loads(row) for row in rows.split(b"\n")]

    def export(self, folder: Path, configs: Sequence[str], *, family: str) -> None:
        """Write each config's rows in order, a batch at a time, and put the files in place
        whole.
        """
        import pyarrow.parquet as pq

        schemas = {config: arrow_schema(config, family=family) for config in configs}
        partial = {config: folder / f"{config}.partial" for config in configs}
        waiting: dict[str, list[bytes]] = {config: [] for config in configs}
        self.commit()
        with ExitStack() as stack:
            files = {
                c: stack.enter_context(pq.ParquetWriter(partial[c], schemas[c], compression="zstd"))
                for c in configs
            }
            for config, _, row in stored(self._database):
                waiting[config].append(row)
                if len(waiting[config]) == BATCH:
                    files[config].write_table(table(waiting[config], schemas[config]))
                    waiting[config] = []
            for config in configs:
                if waiting[config]:
                    files[config].write_table(table(waiting[config], schemas[config]))
        for config in configs:
            os.replace(partial[config], folder / f"{config}.parquet")

    def _execute(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Of all that was written, committed or not."""
        self.commit()
        return self._database.execute(query, values)

    def _count(self) -> Counter[Kind]:
        query = f"SELECT {CONFIG}, {REASON}, count(*) FROM items, json_each(kinds) GROUP BY 1, 2"
        return Counter(
            {(config, reason): number for config, reason, number in self._execute(query)}
        )


def kind_and_row(outcome: Outcome) -> tuple[Kind, Row]:
    if isinstance(outcome, Accepted):
        return (outcome.config, None), outcome.row
    return ("rejected", outcome.reason), outcome.row | {"reason": outcome.reason}


def stored(database: sqlite3.Connection) -> Iterator[tuple[str, str | None, bytes]]:
    """Config, reason and JSON of every row, in order."""
    for kinds, rows in database.execute("SELECT kinds, rows FROM items ORDER BY position"):
        for (config, reason), row in zip(loads(kinds), rows.split(b"\n"), strict=True):
            yield config, reason, row


def table(rows: Sequence[bytes], schema: pa.Schema) -> Any:
    """JSON rows as Arrow, in one chunk. Columns that a row lacks are null, others are left out."""
    import pyarrow as pa
    import pyarrow.json

    lines = b"\n".join(rows)
    return pa.json.read_json(
        pa.BufferReader(lines),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pa.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        ),
    )
