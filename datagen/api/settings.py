"""From keyword arguments to the settings of a command: the same names and defaults as the flags."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from datagen.errors import UserError

Settings = TypeVar("Settings")
Function = TypeVar("Function", bound=Callable[..., Any])


def settings_from(settings_type: type[Settings], flags: Mapping[str, Any]) -> Settings:
    """The settings that keyword arguments describe.

    Args:
        settings_type: a frozen dataclass: the flags of a command.
        flags: values by the names of the flags. Paths may be texts, tuples may be lists. A run or a
            version stands for its folder.

    Raises:
        UserError: a name is unknown, a value has the wrong type or is out of range.
    """
    known = {field.name for field in dataclasses.fields(settings_type)}  # type: ignore[arg-type]
    for name in flags:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"{name}: {settings_type.__name__} has no such setting{hint}")

    kinds = typing.get_type_hints(settings_type)
    values = {name: converted(name, value, kinds[name]) for name, value in flags.items()}
    try:
        return settings_type(**values)
    except TypeError as error:  # a setting without a default is missing
        raise UserError(str(error).partition("() ")[2] or str(error)) from None


def converted(name: str, value: Any, kind: Any) -> Any:
    """The value as its setting holds it. Raises UserError for one of another type."""
    options = typing.get_args(kind) if is_union(kind) else (kind,)
    if value is None and type(None) in options:
        return None
    for option in options:
        found = as_kind(value, option)
        if found is not None:
            return found
    raise UserError(f"{name}={value!r}: {described(kind)} is wanted, not {type(value).__name__}")


def as_kind(value: Any, kind: Any) -> Any:
    """The value as this type, or None where it is none."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return value if value in typing.get_args(kind) else None
    if origin is dict:
        return value if isinstance(value, dict) else None
    if origin is tuple:
        return tuple(value) if isinstance(value, list | tuple) else None
    if kind in (Path, str) and hasattr(value, "path"):
        value = value.path
    if kind is Path:
        return Path(value) if isinstance(value, str | Path) else None
    if kind is str:
        return str(value) if isinstance(value, str | Path) else None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, bool):
        return None
    return value if isinstance(kind, type) and isinstance(value, kind) else None


def is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def described(kind: Any) -> str:
    """A type in words, such as `int or None`."""
    if is_union(kind):
        return " or ".join(described(part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(kind)))
    if kind is type(None):
        return "None"
    return getattr(kind, "__name__", str(kind))


def takes(settings_type: type[Any], *leave_out: str) -> Callable[[Function], Function]:
    """Give a function the signature of a command's flags, for `help` and completion.

    Args:
        settings_type: the settings that the keyword arguments describe.
        leave_out: flags that mean nothing in Python, such as `dry_run`.
    """
    import inspect

    def decorate(function: Function) -> Function:
        own = list(inspect.signature(function).parameters.values())
        named = [parameter for parameter in own if parameter.kind is not parameter.VAR_KEYWORD]
        taken = {parameter.name for parameter in named} | set(leave_out)
        more = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default_of(field),
                annotation=field.type,
            )
            for field in dataclasses.fields(settings_type)
            if field.name not in taken
        ]
        function.__signature__ = inspect.Signature([*named, *more])  # type: ignore[attr-defined]
        function.__settings__ = settings_type  # type: ignore[attr-defined]
        return function

    return decorate


def default_of(field: dataclasses.Field[Any]) -> Any:
    """The default of a setting; a required one has none."""
    import inspect

    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
