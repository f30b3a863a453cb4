"""One hash of a column's values, whatever chunks, row groups or release of Arrow they come in.

A column is taken apart as Arrow lays it out: a struct into its fields, a list into its lengths and
one column of all its items, text into lengths and bytes. Each part is a stream of bytes with a
SHA-256 of its own, which a piece of the column lengthens; so where a piece ends leaves no trace. Of
a null only its place is hashed: what a buffer holds there, or below it, is undefined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


class Column:
    """The hash of a column of one type: `update` with its pieces in order, then `digest`.

    Raises UserError for a type that no dataset here has (maps, unions).
    """

    def __init__(self, kind: pa.DataType):
        self.kind = kind
        self.count = 0
        self.nulls, self.lengths, self.values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        self.inner = [Column(inner) for inner in parts(kind)]

    def update(self, array: pa.Array) -> None:
        if array.null_count:
            self.nulls.update(places(array, self.count))
        self.count += len(array)
        present = array.drop_null() if array.null_count else array
        lengths, values = streams(present)
        self.lengths.update(lengths)
        self.values.update(values)
        for column, piece in zip(self.inner, pieces(present), strict=True):
            column.update(piece)

    def digest(self) -> bytes:
        """SHA-256 over the number of values and the hashes of nulls, lengths, values and inner
        columns.
        """
        own = [self.nulls.digest(), self.lengths.digest(), self.values.digest()]
        inner = [column.digest() for column in self.inner]
        return hashlib.sha256(self.count.to_bytes(8, "little") + b"".join([*own, *inner])).digest()


def rows_sha256(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> tuple[str, int]:
    """The hash of rows, by the names of their columns, and their number."""
    columns, count = {field.name: Column(field.type) for field in schema}, 0
    for batch in batches:
        count += batch.num_rows
        for name, column in columns.items():
            column.update(batch.column(name))
    whole = hashlib.sha256()
    for name in sorted(columns):
        whole.update(hashlib.sha256(name.encode()).digest() + columns[name].digest())
    return whole.hexdigest(), count


def parts(kind: pa.DataType) -> list[pa.DataType]:
    """The types of the columns inside a column."""
    from pyarrow import types

    if types.is_struct(kind):
        return [field.type for field in kind]
    if is_list(kind):
        return [kind.value_type]
    if types.is_null(kind) or is_text(kind) or fixed(kind):
        return []
    raise UserError(f"a column of type {kind} cannot be published: there is no hash for its values")


def pieces(present: pa.Array) -> list[pa.Array]:
    """The inner columns of an array without nulls."""
    from pyarrow import types

    if types.is_struct(present.type):
        return [present.field(number) for number in range(present.type.num_fields)]
    return [present.flatten()] if is_list(present.type) else []


def streams(present: pa.Array) -> tuple[Any, Any]:
    """The bytes of an array without nulls: lengths of lists and texts, and what texts and fixed
    widths hold.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_list(present.type):
        return buffer_of(pc.list_value_length(present).cast(pa.int64())), b""
    if is_text(present.type):
        text = present.cast(pa.large_binary())
        return buffer_of(pc.binary_length(text)), characters(text)
    if pa.types.is_boolean(present.type):
        return b"", buffer_of(present.cast(pa.uint8()))
    return b"", buffer_of(present) if fixed(present.type) else b""


def characters(text: pa.LargeBinaryArray) -> Any:
    """All texts one behind the other."""
    import numpy as np

    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return b""
    ends = np.frombuffer(offsets, np.int64)[[text.offset, text.offset + len(text)]]
    return memoryview(data)[ends[0] : ends[1]]


def buffer_of(present: pa.Array) -> Any:
    """The values of fixed width, little-endian, without what lies before and behind the array in
    its buffer.
    """
    width = present.type.bit_width // 8
    data = present.buffers()[1]
    return (
        b""
        if data is None
        else memoryview(data)[present.offset * width : (present.offset + len(present)) * width]
    )


def places(array: pa.Array, before: int) -> bytes:
    """Where the nulls are, counted from the column's start."""
    import numpy as np

    found = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)) + before
    return found.astype("<i8").tobytes()


def is_list(kind: pa.DataType) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def fixed(kind: pa.DataType) -> bool:
    from pyarrow import types

    return types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind)
