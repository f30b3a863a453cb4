"""Read conversations in the forms that people have: OpenAI messages, ShareGPT, lists of columns.

A conversation that our columns cannot hold is left out with a reason, never taken in part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.errors import UserError
from datagen.sources.values import holds_something, kind_of, text_in
from datagen.teacher.base import Messages

ROLES = {
    "system": ("system", "developer"),
    "user": ("user", "human", "prompter"),
    "assistant": ("assistant", "gpt", "chatgpt", "bot", "chatbot", "model", "ai"),
    "tool": (
        *("tool", "function", "ipython", "observation"),
        *("function_call", "function_response", "tool_call", "tool_response", "tool_result"),
    ),
}
"""The names that files use for each role."""
ROLE_OF = {name: role for role, names in ROLES.items() for name in names}
ROLE_KEYS = ("role", "from", "speaker", "author")
TEXT_KEYS = ("content", "value", "text")
CALL_KEYS = ("tool_calls", "function_call")
KNOWN_KEYS = {*ROLE_KEYS, *TEXT_KEYS, *CALL_KEYS}
TEXT_PARTS = ("text", "input_text", "output_text")
"""Types of content parts that are text. Others are pictures, sounds, files or calls."""


class Unusable(Exception):
    """A row that cannot be used. `reason` is a short, stable word for the statistics."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Conversation:
    """The turns of a row, and the keys of its turns that hold something and are not read."""

    turns: Messages
    unread: set[str]


def read_conversation(value: Any, column: str, where: str) -> Conversation:
    """Return the turns in a column as (role, content) pairs.

    Args:
        value: A list of turns, an object of lists, or either of them as JSON text.
        column: The name of the column, for messages.
        where: The place of the record, for messages.

    Raises:
        Unusable: A turn calls a tool, holds a picture, or has a role that is not known.
        UserError: The value is no conversation. The message names the turn.
    """
    turns: list[tuple[str, str]] = []
    unread: set[str] = set()
    for place, turn in enumerate(list_of(value, column, where), 1):
        name = f"{column}, turn {place}"
        if not isinstance(turn, Mapping):
            raise UserError(f"{where}: {name} is {kind_of(turn)}, and an object is expected")
        turns.append(read_turn(turn, name, where))
        others = {key for key in turn if key not in KNOWN_KEYS and holds_something(turn[key])}
        unread |= {f"{column}.{key}" for key in others}
    return Conversation(tuple(turns), unread)


def list_of(value: Any, column: str, where: str) -> list[Any]:
    """Return the turns of a conversation as a list. Raises UserError if it is none."""
    # A CSV file holds the list as JSON text.
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise UserError(
                f"{where}: the column {column!r} holds a text that is no JSON list of turns"
            ) from None
    # `datasets` makes lists of objects into an object of lists.
    if isinstance(value, dict):
        value = transposed(value)
    if not isinstance(value, list):
        raise UserError(
            f"{where}: the column {column!r} holds {kind_of(value)}, and a list of turns is "
            "expected"
        )
    return value


def transposed(columns: dict[str, Any]) -> Any:
    """Return an object of equally long lists as a list of objects. Another stays as it is."""
    lengths = {len(part) if isinstance(part, list) else None for part in columns.values()}
    if len(lengths) != 1 or None in lengths:
        return columns
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def read_turn(turn: Mapping[str, Any], name: str, where: str) -> tuple[str, str]:
    """Return role and content of a turn. Raises Unusable or UserError."""
    role_key = next((key for key in ROLE_KEYS if key in turn), None)
    text_key = next((key for key in TEXT_KEYS if key in turn), None)
    calls = any(holds_something(turn.get(key)) for key in CALL_KEYS)
    if role_key is None or (text_key is None and not calls):
        raise UserError(
            f"{where}: {name} needs role and content (or from and value); it has "
            f"{', '.join(map(str, turn)) or 'nothing'}"
        )
    role = ROLE_OF.get(str(turn[role_key]).strip().lower())
    if role is None:
        raise Unusable("unknown_role")
    if role == "tool" or calls or text_key is None:
        raise Unusable("tool_turns")
    return role, content_of(turn[text_key], f"{name}, {text_key}", where)


def content_of(value: Any, name: str, where: str) -> str:
    """Return the text of a turn's content. Raises Unusable if a part of it is no text."""
    if isinstance(value, list):
        return "\n".join(part_text(part, name, where) for part in value).strip()
    return (text_in(value, name, where) or "").strip()


def part_text(part: Any, name: str, where: str) -> str:
    """Return the text of a part of a turn's content."""
    if not isinstance(part, Mapping):
        return text_in(part, name, where) or ""
    if part.get("type", "text") not in TEXT_PARTS:
        raise Unusable("not_text")
    return text_in(part.get("text"), name, where) or ""
