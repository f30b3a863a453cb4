"""SQLite files that survive the death of the process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from datagen.errors import UserError


def connect_database(path: Path, schema: str, *, page_bytes: int = 4096) -> sqlite3.Connection:
    """Open a database in WAL mode: what was committed survives the death of the process.

    Args:
        path: The file. It is made if there is none.
        schema: SQL statements that create tables and indexes where they are missing.
        page_bytes: Size of a page of a new file. Large records are faster with large pages.

    Raises:
        UserError: The file can be neither read nor written.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(schema)
    except sqlite3.Error as error:
        raise UserError(f"{path} cannot be read and written: {error}") from None
    return database
