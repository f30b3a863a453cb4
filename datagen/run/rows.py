"""The rows of a run: SQLite while the run works, Parquet at the end.

SQLite stores the rows of an item under the item's position. The export follows the positions. So
the order in which answers arrive does not change the files.
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
from datagen.schema import REASONING, Accepted, Outcome, Row, arrow_schema, with_reasoning
from datagen.teacher.chat.kept import ALONE, COUNTED, CUT

if TYPE_CHECKING:
    import pyarrow as pa

GATHER_S = 0.1
"""Seconds in which rows share a transaction. A transaction waits for the disk, so one for each item
would slow a fast teacher down. A kill loses at most these rows; the journal makes them again."""
BATCH = 2048
"""Rows of a Parquet row group. The export holds one group of each config in memory."""

Kind: TypeAlias = tuple[str, str | None]
"""The config of a row, and the reason if it was rejected."""
# the two parts of an element of `kinds`, in SQL
CONFIG = "json_extract(value, '$[0]')"
REASON = "json_extract(value, '$[1]')"

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    position INTEGER NOT NULL,
    kinds    TEXT NOT NULL, -- JSON: [config, reason] of every row
    rows     BLOB NOT NULL, -- a line of JSON each
    UNIQUE (position) -- a separate index: items are appended in the order in which they arrive
)
"""


class Rows:
    """Accepted and rejected rows in a database.

    After a kill either all rows of an item are there, or none.

    Args:
        path: the database. It is created if it does not exist.
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
        """The number of rejected rows."""
        return sum([number for (config, _), number in self.counts.items() if config == "rejected"])

    @property
    def accepted(self) -> int:
        """The number of accepted rows of all configs."""
        return self.counts.total() - self.rejected

    def accepted_by_config(self) -> dict[str, int]:
        """Return the number of accepted rows of each config, sorted by name."""
        counts = sorted(self.counts.items(), key=str)
        return {config: number for (config, _), number in counts if config != "rejected"}

    def rejected_by_reason(self) -> dict[str, int]:
        """Return the number of rejected rows for each reason, sorted by name."""
        counts = sorted(self.counts.items(), key=str)
        return {reason: number for (_, reason), number in counts if reason}

    def write(self, position: int, outcomes: Sequence[Outcome]) -> None:
        """Write all rows of an item.

        Args:
            position: the position of the item.
            outcomes: its rows, at least one.

        Raises:
            UserError: the disk is full or fails.
        """
        assert outcomes, "every item has at least one accepted or rejected row"
        kinds, rows = zip(*map(kind_and_row, outcomes), strict=True)
        self._waiting.append((position, dumps(kinds).decode(), b"\n".join(map(dumps, rows))))
        for kind in kinds:
            self.counts[kind] += 1
        if time.monotonic() - self._written > GATHER_S:
            self.commit()

    def commit(self) -> None:
        """Write the waiting rows to disk.

        If that fails, they are lost, and with each row all rows of its item.

        Raises:
            UserError: the disk is full or fails.
        """
        waiting = self._waiting
        self._waiting = []
        self._written = time.monotonic()
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
        """Write the waiting rows to disk, and close the database."""
        self.commit()
        self._database.close()

    def done(self, items: int) -> bytearray:
        """Return 1 for every position that has rows and 0 for the others, [items]."""
        # one byte for each item: a run can have millions
        found = bytearray(items)
        for (position,) in self._execute("SELECT position FROM items"):
            found[position] = 1
        return found

    def unbroken(self) -> int:
        """Return the first position that has no rows."""
        first = 0
        for (position,) in self._execute("SELECT position FROM items ORDER BY position"):
            if position != first:
                break
            first += 1
        return first

    def drop(self, reason: str) -> bool:
        """Delete all rows of the items that have a row rejected for this reason.

        Returns:
            Whether there was such an item.
        """
        query = (
            f"DELETE FROM items WHERE EXISTS (SELECT 1 FROM json_each(kinds) WHERE {REASON} = ?)"
        )
        dropped = self._execute(query, (reason,)).rowcount > 0
        self.counts = self._count()
        return dropped

    def drop_from(self, position: int) -> None:
        """Delete the rows of this position and all later ones."""
        self._execute("DELETE FROM items WHERE position >= ?", (position,))
        self.counts = self._count()

    def by_item(self) -> Iterator[list[Row]]:
        """Yield the rows of every item, in the order of the positions."""
        for (rows,) in self._execute("SELECT rows FROM items ORDER BY position"):
            yield [loads(row) for row in rows.split(b"\n")]

    def notes(self, reason: str) -> Iterator[str]:
        """Yield the `finish_reason` of every row that was rejected for a reason."""
        self.commit()
        for _, _, row in stored(self._database, rejected_for=reason):
            yield str(loads(row).get("finish_reason"))

    def reasoning(self) -> dict[str, int]:
        """Return how many rows have reasoning, by setting, and how many have no answer."""
        keys = {**COUNTED, "cut": CUT, "alone": ALONE}
        # as orjson writes a key; in a text the quotes would be escaped
        marks = {name: f'"{key}":'.encode() for name, key in keys.items()}
        query = "SELECT rows FROM items WHERE instr(rows, ?)"
        found: Counter[str] = Counter()
        for (rows,) in self._execute(query, (f'"{REASONING}'.encode(),)):
            found.update({name: rows.count(mark) for name, mark in marks.items()})
        return {name: count for name, count in found.items() if count}

    def export(self, folder: Path, configs: Sequence[str], *, family: str) -> None:
        """Write one Parquet file for each config, with the rows in the order of the positions.

        Args:
            folder: the run folder.
            configs: the names of the configs.
            family: the family of the rows. It decides the columns.
        """
        import pyarrow.parquet as pq

        schemas = {config: arrow_schema(config, family=family) for config in configs}
        if self.reasoning().get("separate"):
            # an answer alone never has reasoning
            schemas |= {c: with_reasoning(schemas[c]) for c in configs if c != "answers"}
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

        # renamed only when all are written, so a file in place is always whole
        for config in configs:
            os.replace(partial[config], folder / f"{config}.parquet")

    def _execute(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a query on all rows that were written. Waiting rows are committed first."""
        self.commit()
        return self._database.execute(query, values)

    def _count(self) -> Counter[Kind]:
        """Count the rows by config and reason."""
        query = f"SELECT {CONFIG}, {REASON}, count(*) FROM items, json_each(kinds) GROUP BY 1, 2"
        return Counter(
            {(config, reason): number for config, reason, number in self._execute(query)}
        )


def kind_and_row(outcome: Outcome) -> tuple[Kind, Row]:
    """Return config and reason of an outcome, and its row as it is stored."""
    if isinstance(outcome, Accepted):
        return (outcome.config, None), outcome.row
    return ("rejected", outcome.reason), outcome.row | {"reason": outcome.reason}


def stored(
    database: sqlite3.Connection, *, rejected_for: str | None = None
) -> Iterator[tuple[str, str | None, bytes]]:
    """Yield config, reason and JSON of every row, in the order of the positions.

    Args:
        database: the rows.
        rejected_for: yield only the rows that were rejected for this reason.
    """
    query = "SELECT kinds, rows FROM items"
    if rejected_for is not None:
        query += f" WHERE EXISTS (SELECT 1 FROM json_each(kinds) WHERE {REASON} = :reason)"
    for kinds, rows in database.execute(query + " ORDER BY position", {"reason": rejected_for}):
        for (config, reason), row in zip(loads(kinds), rows.split(b"\n"), strict=True):
            if rejected_for in (None, reason):
                yield config, reason, row


def table(rows: Sequence[bytes], schema: pa.Schema) -> Any:
    """Return JSON rows as an Arrow table of one chunk.

    Args:
        rows: one JSON object for each row.
        schema: the columns. A column that a row lacks is null; other keys of a row are dropped.
    """
    import pyarrow as pa
    import pyarrow.json

    lines = b"\n".join(rows)
    # one block, because Arrow makes a chunk of each block
    return pa.json.read_json(
        pa.BufferReader(lines),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pa.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        ),
    )
