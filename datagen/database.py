"""SQLite files that survive the death of the process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from datagen.errors import UserError


def connect_database(path: Path, schema: str, *, page_bytes: int = 4096) -> sqlite3.Connection:
    """Open a database in WAL mode, so that committed data survives the death of the process.

    Args:
        path: the file. It is made if there is none.
        schema: SQL statements that create missing tables and indexes.
        page_bytes: the page size of a new file. Large records are faster with large pages.

    Raises:
        UserError: the file cannot be read or written.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None)
        # the page size comes first: it cannot change once a file is in WAL mode
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a commit survives the death of the process, and costs no sync of the disk
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(schema)
    except sqlite3.Error as error:
        raise UserError(f"{path} cannot be read and written: {error}") from None
    return database
