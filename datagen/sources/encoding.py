"""Read files as UTF-8 text, and say in which line they are not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from datagen.errors import UserError

UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""How a UTF-16 file begins. Windows shells write such files."""
HOW_TO_SAVE = 'save the file as UTF-8 (in Excel as "CSV UTF-8")'


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file. Only one line is in memory at a time.

    Raises:
        UserError: The file cannot be read, or a line is not UTF-8. The message names the line.
    """
    for number, line in enumerate(raw_lines(path), 1):
        if number == 1 and line.startswith(UTF16):
            raise UserError(f"{path}: not UTF-8 but UTF-16; {HOW_TO_SAVE}")
        try:
            # Windows programs put a byte order mark at the beginning, which `utf-8-sig` skips.
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = error.object[error.start : error.start + 1]
            hint = f"byte {byte.hex()} is {byte.decode('cp1252', 'replace')!r} in Windows-1252"
            raise UserError(f"{path}, line {number}: not UTF-8 ({hint}); {HOW_TO_SAVE}") from error


def raw_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file as bytes. A file whose name ends in .gz is unpacked."""
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def text_of(path: Path) -> str:
    """Return the text of a file. Raises UserError if it is not UTF-8."""
    return "".join(lines_of(path))
