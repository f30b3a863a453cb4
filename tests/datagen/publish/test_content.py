"""The hash of rows, against one computed value by value in Python, and what it must and must not
depend on."""

import datetime
import decimal
import hashlib
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.versions.content import rows_sha256
from datagen.versions.parquet import describe

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
TOPK = pa.struct(
    [
        ("tokens", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.list_(pa.float16()))),
        ("tokenizer", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("correct", pa.bool_()),
        ("agreement", pa.float64()),
        ("votes", pa.int32()),
        ("parents", pa.list_(pa.string())),
        ("prompt", pa.list_(MESSAGE)),
        ("teacher_topk", TOPK),
        ("vector", pa.list_(pa.float32(), 3)),
        ("raw", pa.large_binary()),
        ("day", pa.date32()),
        ("cost", pa.decimal128(9, 2)),
        ("nothing", pa.null()),
    ]
)
FORMATS = {"int32": "<i", "int64": "<q", "double": "<d", "float": "<f", "halffloat": "<e"}


def value_of(kind, rng):
    """A random value of a type; a third are null, and many lists and texts are empty."""
    if pa.types.is_null(kind) or rng.random() < 0.3:
        return None
    if pa.types.is_struct(kind):
        return {field.name: value_of(field.type, rng) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        return [value_of(kind.value_type, rng) for _ in range(kind.list_size)]
    if pa.types.is_list(kind):
        return [value_of(kind.value_type, rng) for _ in range(rng.randrange(4))]
    return {
        pa.string(): lambda: "".join(rng.choices("aé漢\0", k=rng.randrange(4))),
        pa.large_binary(): lambda: rng.randbytes(rng.randrange(4)),
        pa.bool_(): lambda: rng.random() < 0.5,
        pa.int32(): lambda: rng.randrange(-(2**31), 2**31),
        pa.date32(): lambda: datetime.date.fromordinal(rng.randrange(1, 3_000_000)),
        pa.decimal128(9, 2): lambda: (
            decimal.Decimal(rng.randrange(-999_999_999, 999_999_999)) / 100
        ),
    }.get(kind, lambda: struct.unpack("<e", struct.pack("<e", rng.gauss(0, 1)))[0])()


def table_of(rows, seed="rows"):
    rng = random.Random(seed)
    return pa.Table.from_pylist(
        [{f.name: value_of(f.type, rng) for f in SCHEMA} for _ in range(rows)], schema=SCHEMA
    )


def sha(content):
    return hashlib.sha256(content).digest()


def by_value(kind, values):
    """The digest of a column from its Python values, in the words of the module's docstring."""
    present = [value for value in values if value is not None]
    nulls = b"".join(
        place.to_bytes(8, "little") for place, value in enumerate(values) if value is None
    )
    lengths, content, inner = b"", b"", []
    if pa.types.is_struct(kind):
        inner = [by_value(field.type, [value[field.name] for value in present]) for field in kind]
    elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = b"".join(len(value).to_bytes(8, "little") for value in present)
        inner = [by_value(kind.value_type, [item for value in present for item in value])]
    elif kind in (pa.string(), pa.large_binary()):
        texts = [value.encode() if isinstance(value, str) else value for value in present]
        lengths, content = (
            b"".join(len(text).to_bytes(8, "little") for text in texts),
            b"".join(texts),
        )
    else:
        content = b"".join(scalar_bytes(kind, value) for value in present)
    return sha(
        len(values).to_bytes(8, "little")
        + sha(nulls)
        + sha(lengths)
        + sha(content)
        + b"".join(inner)
    )


def scalar_bytes(kind, value):
    if pa.types.is_boolean(kind):
        return bytes([value])
    if pa.types.is_date32(kind):
        return (value - datetime.date(1970, 1, 1)).days.to_bytes(4, "little", signed=True)
    if pa.types.is_decimal(kind):
        return int(value.scaleb(kind.scale)).to_bytes(16, "little", signed=True)
    return struct.pack(FORMATS[str(kind)], value)


def reference(table):
    columns = {
        field.name: by_value(field.type, table[field.name].to_pylist()) for field in table.schema
    }
    return hashlib.sha256(
        b"".join(sha(name.encode()) + columns[name] for name in sorted(columns))
    ).hexdigest()


def hash_of(table, sizes=None):
    """The hash of a table that comes in batches of these sizes."""
    place, batches = 0, []
    for size in sizes or [table.num_rows]:
        batches += table.slice(place, size).combine_chunks().to_batches()
        place += size
    assert place >= table.num_rows
    found, rows = rows_sha256(table.schema, batches)
    assert rows == table.num_rows
    return found


@pytest.mark.parametrize("rows", [0, 1, 7, 200])
def test_it_is_the_hash_of_the_values_one_by_one(rows):
    assert hash_of(table_of(rows)) == reference(table_of(rows))


@pytest.mark.parametrize("sizes", [[1] * 200, [3, 0, 190, 7], [199, 1], [64] * 4])
def test_it_does_not_depend_on_where_the_pieces_end(sizes):
    table = table_of(200)
    assert hash_of(table, sizes) == reference(table)


def test_pieces_that_begin_inside_their_buffers_are_read_from_there():
    table = table_of(200)
    (batch,) = table.combine_chunks().to_batches()
    sliced = [batch.slice(start, 9) for start in range(0, 200, 9)]
    assert sliced[3].column("teacher_topk").offset
    assert rows_sha256(SCHEMA, sliced)[0] == reference(table)


def test_it_does_not_depend_on_the_parquet_file(tmp_path):
    table, digests = table_of(200).drop_columns("nothing"), set()
    for number, options in enumerate(
        [
            {},
            {"compression": "gzip", "row_group_size": 7},
            {"use_dictionary": False, "data_page_version": "2.0"},
        ]
    ):
        pq.write_table(table, tmp_path / f"{number}.parquet", **options)
        digests.add(describe(tmp_path / f"{number}.parquet")["rows_sha256"])
    parts = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    pq.write_table(table.slice(0, 83), parts[0])
    pq.write_table(table.slice(83), parts[1])
    digests.add(describe(*parts)["rows_sha256"])
    assert digests == {reference(table)}


def test_what_lies_under_a_null_does_not_count():
    offsets = pa.array([0, 2, 5, 6], pa.int32())
    hidden = pa.ListArray.from_arrays(
        offsets, pa.array([1, 2, 3, 4, 5, 6]), mask=pa.array([False, True, False])
    )
    plain = pa.array([[1, 2], None, [6]], hidden.type)
    fields = [pa.array([1, 2, None]), pa.array(["a", "b", "c"])]
    covered = pa.StructArray.from_arrays(
        fields, names=["n", "t"], mask=pa.array([True, False, False])
    )
    clean = pa.array([None, {"n": 2, "t": "b"}, {"n": None, "t": "c"}], covered.type)
    for one, other in ((hidden, plain), (covered, clean)):
        assert one.equals(other)
        assert (
            hash_of(pa.table({"x": one}))
            == hash_of(pa.table({"x": other}))
            == reference(pa.table({"x": other}))
        )


@pytest.mark.parametrize(
    ("kind", "alike"),
    [
        (pa.string(), [[None], [""], ["\0"], [None, ""], ["", None], []]),
        (pa.string(), [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""]]),
        (pa.list_(pa.int32()), [[None], [[]], [[None]], [[0]], [[], []], [[], None]]),
        (pa.list_(pa.int32()), [[[1], [2, 3]], [[1, 2], [3]], [[1, 2, 3]], [[3, 2, 1]]]),
        (
            pa.list_(pa.list_(pa.int32())),
            [[[[1], []]], [[[], [1]]], [[[1]], []], [[], [[1]]], [[[1]]]],
        ),
        (
            pa.struct([("a", pa.int32()), ("b", pa.int32())]),
            [[None], [{"a": None, "b": None}], [{"a": 0, "b": None}]],
        ),
        (pa.float64(), [[0.0], [-0.0], [None], [1.0]]),
    ],
    ids=str,
)
def test_values_that_look_alike_are_told_apart(kind, alike):
    found = {hash_of(pa.table({"x": pa.array(values, kind)})) for values in alike}
    assert len(found) == len(alike)


def test_one_value_of_one_row_changes_it_and_the_order_of_the_columns_does_not():
    table = table_of(50)
    assert hash_of(table.select(table.column_names[::-1])) == hash_of(table)
    rows = table.to_pylist()
    for name in table.column_names[:-1]:
        changed = [
            row | {name: table_of(50, seed="others")[name][place].as_py()}
            for place, row in enumerate(rows)
        ]
        assert hash_of(pa.Table.from_pylist(changed, schema=SCHEMA)) != hash_of(table)
    assert hash_of(table.take(pa.array([1, 0, *range(2, 50)]))) != hash_of(table)


def test_text_in_another_width_of_offsets_is_the_same_text():
    kinds = (pa.string(), pa.large_string())
    found = {hash_of(pa.table({"x": pa.array(["a", None, "bc"], kind)})) for kind in kinds}
    assert len(found) == 1


def test_a_type_without_a_hash_is_one_line():
    with pytest.raises(UserError, match=r"a column of type map<string, int32> cannot be published"):
        rows_sha256(pa.schema([("x", pa.map_(pa.string(), pa.int32()))]), [])
