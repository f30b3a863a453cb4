"""Printing texts of others: characters that control a terminal are shown as text."""

from __future__ import annotations

import sys
import unicodedata
from typing import TextIO

INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Unicode categories that hide text, change its order or control a terminal: control characters,
bidirectional marks, characters of zero width, private use."""


def visible(text: str) -> str:
    """Return the text with invisible characters written as codes, such as `<U+202E>`.

    Line feeds are unchanged.

    Example:
        >>> visible("a" + chr(0x202E) + "b")
        'a<U+202E>b'
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        f"<U+{ord(char):04X}>" if char != "\n" and unicodedata.category(char) in INVISIBLE else char
        for char in text
    )


def show(text: object, *, error: bool = False) -> None:
    """Print a text that can hold words of a server, a model or a file.

    Args:
        text: anything; its `str` is printed at once, with tabs as spaces.
        error: print on standard error.
    """
    # not `sys.stderr` as a default: a test or a notebook can replace it later
    stream: TextIO = sys.stderr if error else sys.stdout
    print(visible(str(text).replace("\t", "    ")), file=stream, flush=True)
