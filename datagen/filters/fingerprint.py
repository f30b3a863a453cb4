"""A hash of a function's source, so that a run can notice when a user changed it."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Number
from pathlib import Path
from typing import Any

PLAIN = (str, bytes, Number, re.Pattern, Path, type(None))
"""Types whose `repr` is their whole value, the same in every process."""


def fingerprint(function: Callable[..., Any]) -> str:
    """Return a hash of a function that changes when the function changes.

    The hash covers the source of the function. It also covers the plain values (numbers, texts,
    lists of them) that the function uses, and the functions of its own module that it calls.
    It cannot see into other objects, such as a model that a filter loads.

    Args:
        function: a function, a `functools.partial`, or a callable object.

    Returns:
        A SHA-256 as hexadecimal digits.

    Example:
        >>> fingerprint(len) == fingerprint(len)
        True
    """
    digest = hashlib.sha256()
    for part in parts(function, set()):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def parts(found: Any, seen: set[int]) -> Iterator[str]:
    """Yield the texts that say what a function does. `seen` holds ids, and ends recursion."""
    if id(found) in seen:
        return
    seen.add(id(found))

    if isinstance(found, partial):
        yield from parts(found.func, seen)
        yield from values({"args": found.args, "keywords": found.keywords}, "", seen)
    elif inspect.isfunction(found):
        yield source_of(found)
        # a function that reads a constant changes when the constant changes
        used = inspect.getclosurevars(found)
        bound = {**used.globals, **used.nonlocals, "defaults": found.__defaults__ or ()}
        yield from values(
            bound | {"keyword defaults": found.__kwdefaults__ or {}}, found.__module__, seen
        )
    elif inspect.ismethod(found):
        yield from parts(found.__func__, seen)
        yield from parts(found.__self__, seen)
    elif inspect.isclass(found) or inspect.isbuiltin(found):
        yield source_of(found)
    else:
        # a callable object: its class says what it does, its attributes say how
        yield source_of(type(found))
        yield from values(getattr(found, "__dict__", {}), "", seen)


def values(named: dict[str, Any], module: str, seen: set[int]) -> Iterator[str]:
    """Yield each plain value, and the parts of each function or class of the same module."""
    for name, value in sorted(named.items()):
        text = plain_text(value)
        if text is not None:
            yield f"{name} = {text}"
        elif getattr(value, "__module__", None) == module and hasattr(value, "__qualname__"):
            yield from parts(value, seen)


def plain_text(value: Any) -> str | None:
    """Return a text for a plain value or a collection of plain values; None for any other."""
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, dict):
        found = [plain_text(part) for part in value.items()]
    elif isinstance(value, list | tuple | set | frozenset):
        found = [plain_text(part) for part in value]
    else:
        return None

    texts = [text for text in found if text is not None]
    if len(texts) < len(found):
        return None
    # the order of a set differs from process to process
    ordered = sorted(texts) if isinstance(value, set | frozenset) else texts
    return f"{type(value).__name__}({', '.join(ordered)})"


def source_of(found: Any) -> str:
    """Return the source code; the name if there is none, as for a builtin or in a console."""
    try:
        return inspect.getsource(found)
    except (OSError, TypeError):
        return f"{found.__module__}:{found.__qualname__}"
