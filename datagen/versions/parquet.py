"""Reading Parquet files: their rows, batches, columns and hashes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.schema import Row
from datagen.versions.content import rows_sha256
from datagen.versions.digest import with_digests

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 200
"""Rows in memory at a time. A row with stored probabilities can take a hundred kilobytes, so a
batch takes about 20 megabytes."""
BUFFER_BYTES = 1 << 20
"""Bytes that are read from the file at once for a column: enough to keep a disk busy, and small
next to a batch."""


def describe(*files: Path) -> dict[str, Any]:
    """Return the columns, the number and the hash of the rows of Parquet files.

    Args:
        files: files of one config, in order. They have the same columns.

    Returns:
        `columns` (name to type), `rows` and `rows_sha256`.

    Raises:
        UserError: a file is missing or damaged, or a column's type has no hash.
    """
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(files[0])
    except (OSError, ValueError) as error:
        raise damaged(files[0], error) from None

    batches = itertools.chain.from_iterable(map(batches_of, files))
    digest, count = rows_sha256(schema, batches)
    return {
        "columns": {field.name: str(field.type) for field in schema},
        "rows": count,
        "rows_sha256": digest,
    }


def rows(file: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with a hash in place of stored probabilities.

    One batch is in memory at a time.

    Raises:
        UserError: the file is missing or damaged.
    """
    for batch in batches_of(file):
        yield from with_digests(batch).to_pylist()


def batches_of(file: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file in batches of at most `BATCH` rows.

    Args:
        file: the Parquet file.
        columns: the columns to read. Default: all.

    Raises:
        UserError: the file is missing or damaged.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False) as parquet:
            # one row group at a time and no reading ahead: else Arrow keeps all that it has read
            for group in range(parquet.num_row_groups):
                yield from parquet.iter_batches(
                    batch_size=BATCH, row_groups=[group], columns=columns
                )
    # Arrow's own exceptions are subclasses of these two
    except (OSError, ValueError) as error:
        raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> UserError:
    """Return the error for a file that cannot be read."""
    return UserError(f"{file} is missing or damaged: {str(error).splitlines()[0]}")


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
