"""Searching files for secrets, byte by byte, in other ways than the code that removes them."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pyarrow.parquet as pq


def leaks(folder: Path, secrets: list[str]) -> list[str]:
    """Every file that holds a secret, with the secret."""
    found: list[str] = []
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            for content in contents(file):
                found += [f"{file.relative_to(folder)}: {s}" for s in secrets if holds(content, s)]
    return found


def contents(file: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they hold when they are unpacked."""
    yield file.read_bytes()
    if file.suffix == ".parquet":
        yield json.dumps(pq.read_table(file).to_pylist(), ensure_ascii=False).encode()
        yield repr(pq.read_schema(file).metadata).encode()
    if file.suffix == ".sqlite":
        yield json.dumps(tables(file), default=str, ensure_ascii=False).encode()


def tables(file: Path) -> list[list[object]]:
    database = sqlite3.connect(file)
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    rows = [row for (name,) in names for row in database.execute(f'SELECT * FROM "{name}"')]
    database.close()
    return [[v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in r] for r in rows]


def holds(content: bytes, secret: str) -> bool:
    """Whether bytes hold a secret: as they are, with escapes undone, or in any Base64 inside."""
    wanted = secret.encode().lower()
    plain = [content, unquote_to_bytes(content)]
    plain += [re.sub(rb"\\u00([0-9a-f]{2})", lambda f: bytes.fromhex(f[1].decode()), content)]
    for run in re.findall(rb"[A-Za-z0-9+/_-]{8,}", content):
        run = run.replace(b"-", b"+").replace(b"_", b"/")
        plain += [decoded(run[start:]) for start in range(4)]
    return any(wanted in text.lower() for text in plain)


def decoded(run: bytes) -> bytes:
    return base64.b64decode(run[: len(run) // 4 * 4] + b"", validate=False)
