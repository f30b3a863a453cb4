"""Short stand-ins for stored probabilities, for readers that turn rows into Python objects.

A row of stored probabilities holds thousands of numbers. As Python objects they would take most of
the time and the memory of a reader that does not use them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from datagen.schema import PROMPT_TOPK, TOPK

if TYPE_CHECKING:
    import pyarrow as pa


def with_digests(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with one line of text in place of the stored probabilities of each row."""
    import pyarrow as pa

    for place, name in enumerate(batch.schema.names):
        if name in (TOPK, PROMPT_TOPK):
            column = batch.column(place)
            lines = [digest_line(column.slice(row, 1)) for row in range(len(batch))]
            batch = batch.set_column(place, name, pa.array(lines, pa.string()))
    return batch


def digest_line(one: pa.StructArray) -> str | None:
    """Return the number of tokens and a hash of all values, or None if nothing is stored.

    Args:
        one: stored probabilities of one row, [1].
    """
    if one.null_count:
        return None

    digest = hashlib.sha256()
    for name, values in zip(one.type.names, one.flatten(), strict=True):
        # two fields with swapped values are another row
        digest.update(name.encode())
        update_digest(digest, values)

    tokens = len(one.flatten()[0].flatten())
    return f"{tokens} tokens, sha256 {digest.hexdigest()}"


def update_digest(digest: hashlib._Hash, values: pa.Array) -> None:
    """Add an array to a hash: the lengths of its lists on every level, then its values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    while pa.types.is_list(values.type):
        digest.update(repr(pc.list_value_length(values).to_pylist()).encode())
        values = values.flatten()

    # nulls and texts have no buffer that can be hashed as it is
    if values.null_count or pa.types.is_string(values.type):
        digest.update(repr(values.to_pylist()).encode())
    else:
        digest.update(values.to_numpy(zero_copy_only=False).tobytes())
