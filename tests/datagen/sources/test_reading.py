"""The one reader: every ending, encoding and kind of folder gives the same records, or one line."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.sources.files import read_records, split_of
from datagen.sources.tally import SourceTally

ROWS = [{"instruction": "Fold a boat.", "output": "Take paper."}, {"instruction": "Été ?", "output": "Oui"}]  # fmt: skip
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
CSV = "instruction,output\nFold a boat.,Take paper.\nÉté ?,Oui\n"


def rows_of(source: Path | str) -> list[dict]:
    return [dict(record) for _, record in read_records(source)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES.encode()),
        ("A.JSONL", LINES.encode()),
        ("a.ndjson", LINES.encode()),
        ("a.jsonl", b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n\r\n").encode()),
        ("a.jsonl", json.dumps(ROWS, indent=2).encode()),
        ("a.jsonl.gz", gzip.compress(LINES.encode())),
        ("a.json", json.dumps(ROWS).encode()),
        ("a.json", LINES.encode()),
        ("a.JSON", b"\xef\xbb\xbf" + json.dumps({"version": 2, "rows": ROWS}).encode()),
        ("a.csv", CSV.encode()),
        ("a.Csv", b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode()),
        ("a.csv", CSV.replace(",", ";").encode()),
        ("a.csv", CSV.replace("instruction,output", " instruction , output ,").replace("paper.", "paper.,").replace("Oui", "Oui,").encode()),
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.tsv", CSV.replace(",", "\t").encode()),
        ("a.csv", CSV.replace(",", "\t").encode()),
    ],
)  # fmt: skip
def test_every_ending_and_encoding_gives_the_same_records(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    found = [{k: v for k, v in row.items() if v} for row in rows_of(tmp_path / name)]
    assert found == ROWS


def test_saved_datasets_and_folders_of_files_are_read(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    train, test = (datasets.Dataset.from_list([row]) for row in ROWS)
    train.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict(train=train, test=test).save_to_disk(str(tmp_path / "two"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "x.jsonl").write_text(LINES)

    assert rows_of(tmp_path / "one") == rows_of(tmp_path / "two") == ROWS[:1]
    assert rows_of(f"{tmp_path / 'two'}:test") == ROWS[1:]
    assert rows_of(tmp_path / "files") == ROWS
    tally = SourceTally(rows=1)
    list(read_records(tmp_path / "two", tally))
    assert tally.lines() == ["source:    split test is not read"]
    with pytest.raises(UserError, match="has the splits train, test, and none is named dev"):
        rows_of(f"{tmp_path / 'two'}:dev")
    with pytest.raises(UserError, match="one:test: the dataset has no splits"):
        rows_of(f"{tmp_path / 'one'}:test")


def test_tables_of_a_json_object_are_splits_and_one_record_is_none(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"train": ROWS[:1], "test": ROWS[1:]}))
    assert rows_of(file) == ROWS[:1]
    assert rows_of(f"{file}:test") == ROWS[1:]
    file.write_text(json.dumps({"dev": ROWS[:1], "test": ROWS[1:]}))
    with pytest.raises(UserError, match="has the splits dev, test, and none is named train"):
        rows_of(file)
    record = {"messages": [{"role": "user", "content": "Hi"}]}
    file.write_text(json.dumps(record))
    assert rows_of(file) == [record]


def test_a_colon_is_part_of_a_name_that_exists(tmp_path):
    (tmp_path / "a:b.jsonl").write_text(LINES)
    assert rows_of(tmp_path / "a:b.jsonl") == ROWS
    assert split_of("org/name:test") == ("org/name", "test")
    assert split_of("nothing:test") == ("nothing:test", None)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "q,a\nun,1\nl\xe9,2\n".encode("cp1252"), r"a\.csv, line 3: not UTF-8 \(byte e9 is 'é' in Windows-1252\); save the file as UTF-8 \(in Excel"),
        ("a.csv", 'q,a\n"un\ndeux\nl\xe9",2\n'.encode("cp1252"), r"a\.csv, line 4: not UTF-8"),
        ("a.jsonl", b'{"q": 1}\n' * 5000 + b'{"q": "\xe9"}\n', r"a\.jsonl, line 5001: not UTF-8"),
        ("a.json", b'[\n{"q": 1},\n{"q": "\xe9"}]', r"a\.json, line 3: not UTF-8"),
        ("a.csv", CSV.encode("utf-16"), r"a\.csv: not UTF-8 but UTF-16; save the file"),
        ("a.csv", b"q,q\n1,2\n", r"a\.csv, line 1: two columns are called 'q'"),
        ("a.csv", b"q,a\n1,2\n\n3\n", r"a\.csv, line 4: 2 columns expected"),
        ("a.jsonl", b'{"q": ' + b"[" * 100_000, r"a\.jsonl, line 1: not JSON"),
        ("a.json", b'{"q": ' + b"9" * 5_000 + b"}", r"a\.json: not JSON"),
        ("a.jsonl", b"[1]\n[2]\n", r"a\.jsonl, line 1: not an object with columns but list"),
        ("a.jsonl.gz", b"no gzip", r"a\.jsonl\.gz: cannot be read"),
        ("a.jsonl.gz", gzip.compress(LINES.encode() * 99)[:-20], r"a\.jsonl\.gz: cannot be read"),
        ("a.xlsx", b"PK", r"cannot read \.xlsx; known are \.jsonl, \.json, \.csv, \.tsv, \.parquet"),
        ("a.PARQUET", b"none", r"a\.PARQUET: not Parquet"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line_with_its_place(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        rows_of(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_cell_may_be_longer_than_the_default_of_python(tmp_path):
    (tmp_path / "a.csv").write_text(f"q\n{'x' * 200_000}\n")
    assert len(rows_of(tmp_path / "a.csv")[0]["q"]) == 200_000


def test_parquet_in_any_case_of_its_ending(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "A.Parquet")
    assert rows_of(tmp_path / "A.Parquet") == ROWS
