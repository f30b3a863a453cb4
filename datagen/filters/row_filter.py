"""The seam of filters: a function from a row to None, or to the reason why the row is rejected.

A filter needs no teacher and no run. Anyone can write one, and name it with
`datagen filter --filter module:function`.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeAlias

from datagen.errors import UserError
from datagen.filters.fingerprint import fingerprint

RowFilter: TypeAlias = Callable[[Mapping[str, Any]], str | None]
"""From a row to None (keep it), or to the reason to reject it: a short, stable word such as
"too_short"."""


class Reason(str):
    """A reason to reject a row, with a detail: what the filter found in this row.

    Runs count rejected rows by reason. So keep the reason stable, and put what changes from row to
    row into the detail.

    Args:
        reason: a short, stable word, such as "contaminated".
        detail: what the filter found, such as the row that a duplicate repeats.

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
    """Return the detail of a reason, or None if it has none."""
    return getattr(reason, "detail", None)


@dataclass(frozen=True)
class NamedFilter:
    """A filter of the user's, under the name that messages and the configuration give it."""

    name: str
    function: RowFilter

    def __call__(self, row: Mapping[str, Any]) -> str | None:
        """Return the reason to reject a row, or None.

        Raises:
            UserError: the filter raised an error, or returned something that is no reason.
        """
        try:
            # a copy, so that a filter cannot change the row that is stored
            reason = self.function(dict(row))
        except Exception as error:
            raise UserError(
                f"filter {self.name} failed on row {row.get('id')}: {described(error)}"
            ) from error
        if reason is None:
            return None
        if isinstance(reason, str) and reason.strip():
            return reason
        raise UserError(
            f"filter {self.name} returned {reason!r} for row {row.get('id')}: a filter returns "
            "None for a row to keep, or the reason to reject it as text"
        )

    def record(self) -> dict[str, str]:
        """What the configuration of a run says of the filter: its name, and the hash of its source.

        The hash makes a changed filter another run.
        """
        return {"name": self.name, "sha256": fingerprint(self.function)}


def user_filters(names: Sequence[str], functions: Sequence[RowFilter]) -> list[NamedFilter]:
    """Return the filters of a run: those that are named, then those that are given as functions.

    Args:
        names: such as `my_filters:too_short`.
        functions: filters as Python objects.

    Raises:
        UserError: a filter cannot be imported, or is not callable.
    """
    named = [NamedFilter(name, load_filter(name)) for name in names]
    return named + [
        NamedFilter(name_of(function), callable_or_error(function)) for function in functions
    ]


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

    module = import_module(module_name, flag=f"--filter {name}")
    if not hasattr(module, function_name):
        near = difflib.get_close_matches(function_name, dir(module), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"--filter {name}: {module_name} has no function {function_name}{hint}")
    return callable_or_error(getattr(module, function_name), name)


def import_module(name: str, *, flag: str) -> ModuleType:
    """Import a module from the current folder, or from where Python finds it.

    Raises:
        UserError: it cannot be imported. Code of a user's can raise anything.
    """
    # an installed `datagen` command does not search the current folder by itself
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise UserError(f"{flag}: cannot import {name} ({described(error)})") from error


def callable_or_error(found: Any, name: str | None = None) -> RowFilter:
    """Return the filter. Raises UserError for an object that is no function."""
    if not callable(found):
        raise UserError(f"filter {name or repr(found)}: {type(found).__name__} is no function")
    row_filter: RowFilter = found
    return row_filter


def name_of(row_filter: Any) -> str:
    """Return `module:function` for a function, and `module:class` for another callable object."""
    # a partial has no name of its own
    if isinstance(row_filter, partial):
        return name_of(row_filter.func)
    named = row_filter if hasattr(row_filter, "__qualname__") else type(row_filter)
    return f"{named.__module__}:{named.__qualname__}"


def described(error: Exception) -> str:
    """Return an error in one line: its type, its text, and the line of code that raised it."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    # the frames of this file and of the import system say nothing to the user
    own = [frame for frame in frames if frame.filename not in (__file__, importlib.__file__)]
    place = f" ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {text}{place}"
