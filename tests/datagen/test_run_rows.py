"""Rows on disk: what is written comes back, as JSON and as Parquet."""

import json
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.json_bytes import dumps, loads, loads_any
from datagen.run.folder import commit
from datagen.run.rows import BATCH, Rows
from datagen.schema import FAMILIES, Accepted, Rejected, arrow_schema
from tests.stubs import ROOT

HOSTILE = [
    "",
    "\x00",
    "\u2028\u2029",
    '"\\/\b\f\n\r\t',
    "\x7f\x1b",
    "😀 é 字",
    "null",
    "{",
    "a" * 100_000,
    "\ufeff",
]
CONFIGS = (*FAMILIES["rationales"], "rejected")


def row(text: str) -> dict:
    return {
        "id": text,
        "parents": [text, text],
        "prompt": [{"role": "user", "content": text}],
        "completion": [],
        "agreement": 1.0,
        "votes": 2,
        "correct": None,
        "tied": True,
        "mean_logprob": -1e-7,
        "unknown": {"a": [1]},
    }


@pytest.fixture
def rows(tmp_path):
    rows = Rows(tmp_path / "rows.sqlite")
    yield rows
    rows.close()


def test_parquet_holds_what_was_written_in_order_of_position(rows, tmp_path):
    expected = {config: [] for config in CONFIGS}
    for position in reversed(range(len(HOSTILE))):
        first, second = row(HOSTILE[position]), row("again")
        rows.write(
            position,
            [Accepted(first, "rationales"), Rejected(second, "wrong"), Accepted(second, "answers")],
        )
    for text in HOSTILE:
        expected["rationales"].append(row(text))
        expected["rejected"].append(row("again") | {"reason": "wrong"})
        expected["answers"].append(row("again"))
    rows.export(tmp_path, CONFIGS, family="rationales")
    for config in CONFIGS:
        table = pa.Table.from_pylist(expected[config], schema=arrow_schema(config))
        assert pq.read_table(tmp_path / f"{config}.parquet").equals(table)
    assert [[r["id"] for r in group] for group in rows.by_item()] == [
        [text, "again", "again"] for text in HOSTILE
    ]
    assert not list(tmp_path.glob("*.partial"))


def test_batches_join(rows, tmp_path):
    number = 2 * BATCH + 1
    for position in range(number):
        rows.write(position, [Accepted({"id": str(position)}, "rationales")])
    rows.export(tmp_path, CONFIGS, family="rationales")
    assert pq.read_table(tmp_path / "rationales.parquet")["id"].to_pylist() == [
        str(i) for i in range(number)
    ]
    assert pq.read_table(tmp_path / "answers.parquet").num_rows == 0


def test_done_unbroken_and_drop(rows):
    for position, reason in ((0, "wrong"), (1, "failed"), (3, "wrong")):
        rows.write(position, [Rejected({}, reason), Accepted({}, "answers")])
    assert list(rows.done(5)) == [1, 1, 0, 1, 0]
    assert rows.unbroken() == 2
    assert (rows.accepted, rows.rejected) == (3, 3)
    assert rows.drop("failed")
    assert not rows.drop("failed")
    assert rows.unbroken() == 1
    rows.drop_from(1)
    assert list(rows.done(5)) == [1, 0, 0, 0, 0]
    assert rows.counts == {("rejected", "wrong"): 1, ("answers", None): 1}


def test_counts_survive_a_restart(rows, tmp_path):
    rows.write(0, [Rejected({}, "wrong"), Accepted({}, "answers"), Accepted({}, "answers")])
    rows.commit()
    again = Rows(tmp_path / "rows.sqlite")
    assert again.counts == {("rejected", "wrong"): 1, ("answers", None): 2}
    again.close()


OTHERS = [
    '{"a": 1}',
    '["\\ud83d"]',
    '{"b": NaN}',
    '"\\u00e9 \\ud83d\\ude00"',
    "[-1.5e300, 9007199254740993]",
]


@pytest.mark.parametrize("text", OTHERS)
def test_what_others_wrote_reads_as_by_the_standard_library(text):
    assert repr(loads_any(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[1] 2"])
def test_broken_json_is_a_value_error(text):
    with pytest.raises(json.JSONDecodeError):
        loads_any(text.encode())


def test_rows_that_wait_are_seen_and_kept(rows, tmp_path):
    """By this process at once, by another once they are committed."""
    rows.write(1, [Accepted({"id": "b"}, "answers"), Rejected({"id": "c"}, "wrong")])
    rows.write(0, [Accepted({"id": "a"}, "answers")])
    assert [[row["id"] for row in group] for group in rows.by_item()] == [["a"], ["b", "c"]]
    again = Rows(tmp_path / "rows.sqlite")
    assert list(again.done(3)) == [1, 1, 0]
    again.close()


def test_json_of_what_utf8_cannot_hold():
    assert loads(dumps({"a": "x\ud83dy", "b": "😀"})) == {"a": "x\ufffdy", "b": "😀"}
    assert loads(dumps([1, "é\x00"])) == [1, "é\x00"]


def test_the_recorded_commit_is_that_of_the_checkout():
    head = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    assert commit() == (head.stdout.strip() or None)
