"""Read and write JSON as bytes, fast. The journal and the rows of a run are stored in this form."""

from __future__ import annotations

import json
from typing import Any

import orjson

loads = orjson.loads
"""Read what `dumps` wrote. Use `loads_any` for JSON of other programs."""


def loads_any(content: bytes) -> Any:
    """Read everything that `json.loads` can read.

    Args:
        content: JSON as UTF-8. It may hold NaN and halves of surrogate pairs.

    Returns:
        The value. Integers of more than 64 bits may become floats.

    Raises:
        ValueError: The content is not JSON.
        RecursionError: It is nested too deeply.
    """
    try:
        return orjson.loads(content)
    except ValueError:
        # orjson is strict. The standard library takes what it refuses, and is slower.
        return json.loads(content)


def dumps(value: Any) -> bytes:
    """Return a value as compact UTF-8 JSON.

    UTF-8 cannot hold half of a surrogate pair, so such a character becomes U+FFFD.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson refuses half of a surrogate pair and integers of more than 64 bits. A round trip
        # through UTF-16 joins the halves that belong together and replaces the others.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=vars)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
