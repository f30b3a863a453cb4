"""Stored probabilities for readers that take rows apart in Python: a row of them holds thousands of
numbers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from datagen.schema import PROMPT_TOPK, TOPK

if TYPE_CHECKING:
    import pyarrow as pa


def digested(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with a line of text in the place of what a row stores: how many tokens, and a hash
    of everything.
    """
    import pyarrow as pa

    for place, name in enumerate(batch.schema.names):
        if name in (TOPK, PROMPT_TOPK):
            lines = [line(batch.column(place).slice(row, 1)) for row in range(len(batch))]
            batch = batch.set_column(place, name, pa.array(lines, pa.string()))
    return batch


def line(one: pa.StructArray) -> str | None:
    """Of one row; None where nothing is stored."""
    if one.null_count:
        return None
    digest = hashlib.sha256()
    for name, values in zip(one.type.names, one.flatten(), strict=True):
        digest.update(name.encode())
        feed(digest, values)
    first = one.flatten()[0]
    return f"{len(first.flatten())} tokens, sha256 {digest.hexdigest()}"


def feed(digest: hashlib._Hash, values: pa.Array) -> None:
    """The lengths of lists on every level, and what is in them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    while pa.types.is_list(values.type):
        digest.update(repr(pc.list_value_length(values).to_pylist()).encode())
        values = values.flatten()
    if values.null_count or pa.types.is_string(values.type):
        digest.update(repr(values.to_pylist()).encode())
    else:
        digest.update(values.to_numpy(zero_copy_only=False).tobytes())
