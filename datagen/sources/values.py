"""Texts in the columns of a record. A value that is no text never becomes one by accident."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from datagen.errors import UserError

HALF_PAIR = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair: no character, so no file and no request can hold it."""
KINDS = (
    (bool, "true or false"),  # before int, of which bool is a kind
    (int | float | Decimal, "a number"),
    (str, "a text"),
    (list | tuple, "a list"),
    (dict, "an object"),
    (bytes, "bytes"),
)
"""What a message calls a value."""


def text_in(value: object, column: str, where: str) -> str | None:
    """Return the text in a column; None if it holds nothing.

    Args:
        value: A text or a number. None and NaN are how tables write a missing value.
        column: The name of the column, for messages.
        where: The place of the record, for messages.

    Raises:
        UserError: The value is a list, an object, true or false, or something else that is no text.

    Example:
        >>> text_in(0.5, "answer", "a.jsonl, line 1"), text_in(None, "answer", "a.jsonl, line 1")
        ('0.5', None)
        >>> text_in(["Red."], "answer", "a.jsonl, line 1")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: a.jsonl, line 1: the column 'answer' holds a list, and a text ...
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return HALF_PAIR.sub("\ufffd", value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return str(value)
    raise UserError(
        f"{where}: the column {column!r} holds {kind_of(value)}, and a text is expected"
    )


def kind_of(value: object) -> str:
    """Return the words that a message uses for a value: "a list"."""
    return next((name for kind, name in KINDS if isinstance(value, kind)), type(value).__name__)


def holds_something(value: object) -> bool:
    """Return whether a value is more than nothing: None, NaN, an empty text, list or object."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return value is not None and value not in ("", [], {})
