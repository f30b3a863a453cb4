"""Converting records to JSON and back. All records use this module.

A record is a frozen dataclass. Its fields are the keys of a JSON object, in this order. A field may
hold another record, a mapping, a tuple or a plain value. There are two special kinds of fields:

- `optional()`: the key is left out if the value is None, and may be missing in a file.
- `rest()`: holds every key that no other field names. A method puts its own keys there.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from datagen.errors import UserError

Record = TypeVar("Record")
OPTIONAL = "optional"
REST = "rest"


def optional() -> Any:
    """Return a field that is left out of the JSON if it is None."""
    return dataclasses.field(default=None, metadata={OPTIONAL: True})


def rest() -> Any:
    """Return the field for all keys that no other field names. A record has at most one."""
    return dataclasses.field(default_factory=dict, metadata={REST: True})


def to_json(record: Any) -> dict[str, Any]:
    """Return the JSON object of a record. The keys are in the order of the fields.

    Args:
        record: an instance of a frozen dataclass.

    Example:
        >>> from datagen.records.config import TeacherRecord
        >>> to_json(TeacherRecord(name="micro", identity="micro@1"))
        {'name': 'micro', 'identity': 'micro@1', 'license': None}
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.metadata.get(REST):
            found |= to_plain(value)
        elif value is not None or not field.metadata.get(OPTIONAL):
            found[field.name] = to_plain(value)
    return found


def to_plain(value: Any) -> Any:
    """Return a value that JSON can hold: records become objects, tuples become lists."""
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    return value


def from_json(kind: type[Record], data: Any, where: str) -> Record:
    """Return the record that a JSON object holds.

    Args:
        kind: the type of the record.
        data: what was read.
        where: the file, for messages.

    Returns:
        The record.

    Raises:
        UserError: `data` is no object, lacks a key, or has a value of another type.

    Example:
        >>> from datagen.records.config import TeacherRecord
        >>> from_json(TeacherRecord, {"name": "micro"}, "config.json")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: config.json is damaged: it lacks identity...
    """
    if not isinstance(data, Mapping):
        raise damaged(where, "it holds no JSON object")

    # the annotations are text (`from __future__ import annotations`): this gives the types
    kinds = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    named = {field.name for field in fields if not field.metadata.get(REST)}

    values: dict[str, Any] = {}
    for field in fields:
        if field.metadata.get(REST):
            values[field.name] = {key: data[key] for key in data if key not in named}
        elif field.name in data:
            place = f"{where}: {field.name}"
            values[field.name] = read_value(kinds[field.name], data[field.name], place)
        elif required(field):
            raise damaged(where, f"it lacks {field.name}")
    return kind(**values)


def check_format(data: Any, known: Sequence[int], where: str) -> None:
    """Check that this release reads the `format` of a JSON object.

    Args:
        data: what was read.
        known: the formats that this release reads.
        where: the file, for messages.

    Raises:
        UserError: the object has another format, or none.

    Example:
        >>> check_format({"format": 9}, (2, 3), "lineage.json")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: lineage.json has format 9, and this release reads 2, 3: ...
    """
    if not isinstance(data, Mapping):
        raise damaged(where, "it holds no JSON object")
    if "format" not in data:
        raise damaged(where, "it lacks format")
    if data["format"] not in known:
        raise UserError(
            f"{where} has format {data['format']}, and this release reads "
            f"{', '.join(map(str, known))}: make it anew, or use the release that made it"
        )


def damaged(where: str, why: str) -> UserError:
    """Return the error for a file that does not hold a record of the expected type."""
    return UserError(f"{where} is damaged: {why}. Restore the file, or make it anew")


def required(field: dataclasses.Field[Any]) -> bool:
    """Return whether a file must have the key of a field."""
    none = dataclasses.MISSING
    return field.default is none and field.default_factory is none


def read_value(kind: Any, value: Any, where: str) -> Any:
    """Return a value as the given type.

    Raises:
        UserError: the value has another type.
    """
    origin = typing.get_origin(kind)
    inner = typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        (kind,) = [part for part in inner if part is not type(None)]
        return read_value(kind, value, where)
    if dataclasses.is_dataclass(kind):
        return from_json(kind, value, where)  # type: ignore[arg-type]
    if origin is tuple and isinstance(value, list):
        return tuple(read_value(inner[0], each, where) for each in value)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {key: read_value(inner[1], each, f"{where}.{key}") for key, each in value.items()}
    # JSON may write 1.0 as 1
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    # to Python True and False are whole numbers, but a file must not have them as a count
    same = isinstance(kind, type) and isinstance(value, kind)
    if same and isinstance(value, bool) == (kind is bool):
        return value
    raise damaged(where, f"it must be {type_name(kind)}, and it is {type_name(type(value))}")


NAMES = (
    (bool, "true or false"),  # before int, of which bool is a kind
    (str, "a text"),
    (int, "a whole number"),
    (float, "a number"),
    (list | tuple, "a list"),
    (Mapping, "an object"),
)
"""What a message calls the types that JSON knows."""


def type_name(kind: Any) -> str:
    """Return the word that messages use for a type."""
    plain_kind = typing.get_origin(kind) or kind
    return next((name for known, name in NAMES if issubclass(plain_kind, known)), "null")
