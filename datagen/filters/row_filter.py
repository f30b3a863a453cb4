"""The seam of filters: a function from a row to None, or to the reason why the row goes.

A filter needs no teacher and no run. Anyone can write one and name it with
`datagen filter --filter module:function`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from datagen.errors import UserError

RowFilter: TypeAlias = Callable[[Mapping[str, Any]], str | None]
"""(row) to None for a row that stays, else the reason: a short, stable word such as "too_short"."""


class Reason(str):
    """A reason with what the filter met, such as the row that a duplicate repeats.

    Example:
        >>> import datagen
        >>> reason = datagen.Reason("contaminated", detail="gsm8k test row 3")
        >>> reason, reason.detail
        ('contaminated', 'gsm8k test row 3')
    """

    detail: str | None

    def __new__(cls, reason: str, *, detail: str | None = None) -> Reason:
        made = super().__new__(cls, reason)
        made.detail = detail
        return made


def detail_of(reason: str) -> str | None:
    """What a filter met, where it says so."""
    return getattr(reason, "detail", None)


def load_filter(name: str) -> RowFilter:
    """Import a filter by its name.

    Args:
        name: `module:function`. The current folder is searched first.

    Returns:
        The function.

    Raises:
        UserError: the name has another form, or there is no such module or function.

    Example:
        >>> load_filter("operator:not_")({"instruction": "x"})
        False
    """
    module_name, _, function_name = name.partition(":")
    if not (module_name and function_name):
        raise UserError(f"--filter {name}: write module:function, such as my_filters:too_short")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except ImportError as error:
        raise UserError(f"--filter {name}: cannot import {module_name} ({error})") from None
    except AttributeError:
        raise UserError(f"--filter {name}: {module_name} has no {function_name}") from None
    if not callable(found):
        raise UserError(f"--filter {name}: {function_name} is not a function")
    row_filter: RowFilter = found
    return row_filter


def checked_reason(name: str, verdict: object) -> str | None:
    """The verdict of a user's filter. Raises UserError for anything but None or a reason."""
    if verdict is None:
        return None
    if isinstance(verdict, str) and verdict.strip():
        return verdict
    raise UserError(
        f"--filter {name} returned {verdict!r}: a filter returns None for a row that stays, "
        "else the reason as text"
    )
