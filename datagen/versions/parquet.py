"""Reading Parquet files: rows, pieces, columns and hashes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.schema import Row
from datagen.versions.content import rows_sha256
from datagen.versions.digest import digested

if TYPE_CHECKING:
    import pyarrow as pa


BATCH = 200
"""Rows in memory at a time; one with stored probabilities can take a hundred kilobytes."""


PAGES = 1 << 20
"""Bytes of a column's buffer on the file."""


def describe(*files: Path) -> dict[str, Any]:
    """Columns (name to type), number of rows and hash of the rows of Parquet files that follow each
    other.
    """
    import pyarrow.parquet as pq

    batches = itertools.chain.from_iterable(map(batches_of, files))
    try:
        schema = pq.read_schema(files[0])
    except (OSError, ValueError) as error:
        raise damaged(files[0], error) from None
    digest, count = rows_sha256(schema, batches)
    return {
        "columns": {field.name: str(field.type) for field in schema},
        "rows": count,
        "rows_sha256": digest,
    }


def rows(file: Path) -> Iterator[Row]:
    """The rows of a Parquet file, a batch in memory at a time; of stored probabilities only their
    hash.

    Raises UserError where it is missing or damaged.
    """
    for batch in batches_of(file):
        yield from digested(batch).to_pylist()


def batches_of(file: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A Parquet file in pieces. Raises UserError where it is missing or damaged.

    A row group at a time and without reading ahead: Arrow would keep all that it has read until the
    last row.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, buffer_size=PAGES, pre_buffer=False) as parquet:
            for group in range(parquet.num_row_groups):
                yield from parquet.iter_batches(
                    batch_size=BATCH, row_groups=[group], columns=columns
                )
    except (OSError, ValueError) as error:  # Arrow's exceptions are these
        raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> UserError:
    return UserError(f"{file} is missing or damaged: {str(error).splitlines()[0]}")


def file_sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
