"""Read a run of digits and separators as one decimal number, whatever convention it follows."""

from __future__ import annotations

import re

SPACES = " \u00a0\u2009\u202f"
RUN = rf"(?:\d{{1,3}}(?:[{SPACES}]\d{{3}})+(?![\d/])(?:[.,]\d+)?|\d+(?:[.,'\u2019_]\d+)*|\.\d+)"
"""A number with all its separators. It is read whole or not at all: of "1.2.3" or "1,23,45" no part
is an answer."""

CONVENTIONS = (
    # 1,234,567.89 and the Indian 12,34,567.89
    (
        re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[1-9]\d?(?:,\d{2})*,\d{3}(?:\.\d+)?"),
        ",",
        ".",
    ),
    # 1.234.567,89: with a single point it would be a decimal number
    (re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3}){2,}(?:,\d+)?|\.\d{3},\d+)"), ".", ","),
    # 1 234 567,89
    (re.compile(rf"[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+(?:,\d+)?"), SPACES, ","),
    (re.compile(rf"[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+\.\d+"), SPACES, "."),
    # 1'234'567.89 and 1_234_567.89
    (re.compile(r"[1-9]\d{0,2}(?:['\u2019]\d{3})+(?:\.\d+)?"), "'\u2019", "."),
    (re.compile(r"[1-9]\d{0,2}(?:_\d{3})+(?:\.\d+)?"), "_", "."),
    (re.compile(r"\d*\.\d+"), "", "."),
    # 12,5: three digits after the comma would be a group, except after a zero
    (re.compile(r"\d+,(?:\d{1,2}|\d{4,})|0,\d+"), "", ","),
)
"""For each convention: its form, what separates groups, and what stands before the decimals."""


def plain_decimal(run: str) -> str | None:
    """Return a match of RUN without groups and with a decimal point, or None if it has no value.

    Example:
        >>> [plain_decimal(run) for run in ("1,00,000", "1.234,5", "12,5", "1.2.3")]
        ['100000', '1234.5', '12.5', None]
    """
    if run.isdigit():
        return run
    for form, groups, point in CONVENTIONS:
        if form.fullmatch(run):
            whole, _, places = run.partition(point)
            digits = "".join(symbol for symbol in whole if symbol not in groups)
            return f"{digits or '0'}.{places}" if places else digits
    return None
