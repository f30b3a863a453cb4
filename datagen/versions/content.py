"""A hash of a column's values that does not depend on chunks, row groups or Arrow's release.

A column is split as Arrow stores it. A struct becomes its fields. A list becomes its lengths and
one column of all items. Text becomes lengths and bytes. Each part is a stream of bytes with its own
SHA-256, and each chunk of the column is appended to it. So the ends of chunks do not show in the
hash. For a null only its position is hashed, because the buffer below a null is undefined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


class Column:
    """The hash of a column of one type: call `update` with its chunks in order, then `digest`.

    Args:
        kind: the type of the column.

    Raises:
        UserError: the type has no hash here. No dataset of this project has maps or unions.
    """

    def __init__(self, kind: pa.DataType):
        self.kind = kind
        self.count = 0

        # three streams, so that no byte of one can be taken for a byte of another
        self.nulls = hashlib.sha256()
        self.lengths = hashlib.sha256()
        self.values = hashlib.sha256()
        self.inner = [Column(inner) for inner in inner_types(kind)]

    def update(self, array: pa.Array) -> None:
        """Append a chunk, [rows]."""
        if array.null_count:
            self.nulls.update(null_positions(array, self.count))
        self.count += len(array)

        present = array.drop_null() if array.null_count else array
        lengths, values = streams(present)
        self.lengths.update(lengths)
        self.values.update(values)

        for column, chunk in zip(self.inner, inner_arrays(present), strict=True):
            column.update(chunk)

    def digest(self) -> bytes:
        """Return SHA-256 over the number of values and the hashes of all streams."""
        own = [self.nulls.digest(), self.lengths.digest(), self.values.digest()]
        inner = [column.digest() for column in self.inner]
        return hashlib.sha256(self.count.to_bytes(8, "little") + b"".join([*own, *inner])).digest()


def rows_sha256(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> tuple[str, int]:
    """Return the hash of rows and their number.

    Args:
        schema: the columns of the rows. Their order does not change the hash.
        batches: the rows, in order. How they are split does not change the hash.

    Raises:
        UserError: a column's type has no hash.
    """
    count = 0
    columns = {field.name: Column(field.type) for field in schema}
    for batch in batches:
        count += batch.num_rows
        for name, column in columns.items():
            column.update(batch.column(name))

    # the hash of a name has a fixed length, so no name runs into the digest after it
    whole = hashlib.sha256()
    for name in sorted(columns):
        whole.update(hashlib.sha256(name.encode()).digest() + columns[name].digest())
    return whole.hexdigest(), count


def inner_types(kind: pa.DataType) -> list[pa.DataType]:
    """Return the types of the columns inside a column.

    Raises:
        UserError: the type has no hash.
    """
    from pyarrow import types

    if types.is_struct(kind):
        return [field.type for field in kind]
    if is_list(kind):
        return [kind.value_type]
    if types.is_null(kind) or is_text(kind) or has_fixed_width(kind):
        return []
    raise UserError(f"a column of type {kind} cannot be published: there is no hash for its values")


def inner_arrays(present: pa.Array) -> list[pa.Array]:
    """Return the columns inside an array without nulls."""
    from pyarrow import types

    if types.is_struct(present.type):
        return [present.field(number) for number in range(present.type.num_fields)]
    # `flatten` skips items that belong to no list; `values` would not
    return [present.flatten()] if is_list(present.type) else []


def streams(present: pa.Array) -> tuple[Any, Any]:
    """Return the lengths and the values of an array without nulls, as bytes.

    Args:
        present: an array of any type.

    Returns:
        Lengths of lists and texts as 64-bit integers, and the bytes of texts and of values of fixed
        width. Each is empty if the type has none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_list(present.type):
        return value_bytes(pc.list_value_length(present).cast(pa.int64())), b""
    if is_text(present.type):
        # one type for all kinds of text, so that `string` and `large_string` hash the same bytes
        text = present.cast(pa.large_binary())
        return value_bytes(pc.binary_length(text)), text_bytes(text)
    if pa.types.is_boolean(present.type):
        # Arrow packs booleans into bits; a chunk may begin inside a byte
        return b"", value_bytes(present.cast(pa.uint8()))
    return b"", value_bytes(present) if has_fixed_width(present.type) else b""


def text_bytes(text: pa.LargeBinaryArray) -> Any:
    """Return the bytes of all texts, one after the other."""
    import numpy as np

    _, offsets, data = text.buffers()
    if data is None or not len(text):
        return b""

    # the array may be a slice of its buffers
    ends = np.frombuffer(offsets, np.int64)[[text.offset, text.offset + len(text)]]
    return memoryview(data)[ends[0] : ends[1]]


def value_bytes(present: pa.Array) -> Any:
    """Return the bytes of values of fixed width, little-endian.

    The array may be a slice of its buffer. Only the bytes of the slice are returned.
    """
    data = present.buffers()[1]
    if data is None:
        return b""
    width = present.type.bit_width // 8
    return memoryview(data)[present.offset * width : (present.offset + len(present)) * width]


def null_positions(array: pa.Array, before: int) -> bytes:
    """Return the positions of the nulls as 64-bit integers.

    Args:
        array: a chunk of the column.
        before: the number of values in the chunks before it.
    """
    import numpy as np

    found = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)) + before
    return found.astype("<i8").tobytes()


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is one of Arrow's lists."""
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text or bytes of any length."""
    import pyarrow as pa

    return kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())


def has_fixed_width(kind: pa.DataType) -> bool:
    """Return whether all values of a type take the same number of bits."""
    from pyarrow import types

    return types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind)
