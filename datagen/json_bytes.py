"""JSON as bytes, fast: what the journal and the rows of a run are stored as."""

from __future__ import annotations

import json
from typing import Any

import orjson

loads = orjson.loads
"""What `dumps` wrote. What others wrote may hold halves of surrogate pairs and NaN: `loads_any`."""


def loads_any(content: bytes) -> Any:
    """Whatever `json.loads` takes; integers of more than 64 bits may become floats.

    Raises ValueError for the rest, and RecursionError where it is nested too deep.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        return json.loads(content)


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON. Halves of surrogate pairs, which UTF-8 cannot hold, become U+FFFD."""
    try:
        return orjson.dumps(value)
    except TypeError:  # such a half, or an integer of more than 64 bits
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=vars)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
