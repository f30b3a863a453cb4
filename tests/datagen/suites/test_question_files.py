"""A user's own files, good and bad."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from datagen.errors import UserError
from datagen.suites import Question, questions_from_file

ROWS = [
    {"question": "1 + 1?", "answer": "2"},
    {"question": "What, now?", "answer": "So:\n#### 1,000"},
]


def written(path: Path) -> Path:
    """ROWS in the format of the path's suffix."""
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    elif path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(
                file, ["question", "answer"], delimiter="\t" if path.suffix == ".tsv" else ","
            )
            writer.writeheader()
            writer.writerows(ROWS)
    return path


def golds(questions: Sequence[Question]) -> list[tuple[str, str | None]]:
    return [(question.question, question.gold) for question in questions]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    found = questions_from_file(written(tmp_path / f"mine{suffix}"), answer_type="number")
    assert golds(found) == [("1 + 1?", "2"), ("What, now?", "1000")]
    assert len({question.id for question in found}) == 2
    assert list(found) == list(
        questions_from_file(written(tmp_path / "again.jsonl"), answer_type="number")
    )


def test_dataset_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    expected = [("1 + 1?", "2"), ("What, now?", "1000")]
    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    assert golds(questions_from_file(tmp_path / "saved", answer_type="number")) == expected
    datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)}).save_to_disk(
        str(tmp_path / "splits")
    )
    assert golds(questions_from_file(tmp_path / "splits", answer_type="number")) == expected
    (tmp_path / "version").mkdir()
    written(tmp_path / "version" / "train.parquet")
    assert golds(questions_from_file(tmp_path / "version", answer_type="number")) == expected


def test_columns(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"q": "Is it?", "a": "Yes."}\n{"q": "Was it?", "a": "No"}\n')
    assert [
        q.gold for q in questions_from_file(path, question="q", answer="a", answer_type="yesno")
    ] == ["yes", "no"]
    assert [
        q.gold for q in questions_from_file(path, question="q", answer="", answer_type="yesno")
    ] == [None, None]


def test_numbers_need_not_be_strings(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "1 + 1?", "answer": 2}\n{"question": "1 / 2?", "answer": 0.5}\n')
    assert [q.gold for q in questions_from_file(path, answer_type="number")] == ["2", "0.5"]


def test_questions_twice_have_two_ids(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "1 + 1?", "answer": 2}\n' * 3)
    assert len({question.id for question in questions_from_file(path, answer_type="number")}) == 3


BAD = [
    (
        "mine.jsonl",
        '{"question": "a?", "answer": 1}\n\n{"question": "b?", \n',
        r"mine.jsonl, line 3: not JSON \(",
    ),
    (
        "mine.jsonl",
        '{"question": "a?", "answer": 1}\n[1]\n',
        "mine.jsonl, line 2: not an object with columns but list",
    ),
    (
        "mine.jsonl",
        '{"query": "a?", "answer": 1}\n',
        "line 1: no column 'question'; the columns are: query, answer",
    ),
    (
        "mine.jsonl",
        '{"question": "a?", "gold": 1}\n',
        "line 1: no column 'answer'; the columns are: question, gold",
    ),
    ("mine.jsonl", '{"question": " ", "answer": 1}\n', "line 1: the column 'question' is empty"),
    ("mine.jsonl", '{"question": null, "answer": 1}\n', "line 1: the column 'question' is empty"),
    (
        "mine.jsonl",
        '{"question": "a?", "answer": "many"}\n',
        "line 1: no number can be read from the answer 'many'",
    ),
    ("mine.jsonl", "", "mine.jsonl: the file is empty"),
    ("mine.jsonl", "\n\n", "mine.jsonl: no rows"),
    ("mine.json", "[]", "mine.json: no rows"),
    ("mine.json", '[{"question": "a?",}]', r"mine.json, line 1: not JSON \("),
    ("mine.json", "5", "mine.json: this is neither a list of objects nor an object that holds one"),
    ("mine.csv", "question,answer\n", "mine.csv: no rows"),
    (
        "mine.csv",
        "question,answer\na?,1\nb?,2,3\n",
        "mine.csv, line 3: 2 columns expected, as in the first line",
    ),
    ("mine.csv", 'question,answer\n"a?,1\n', "mine.csv, line 2: not CSV"),
    (
        "mine.csv",
        "query,answer\na?,1\n",
        "mine.csv, line 2: no column 'question'; the columns are: query, answer",
    ),
    ("mine.parquet", "no parquet", r"mine.parquet: not Parquet \("),
    ("mine.txt", "a?", "mine.txt: cannot read .txt; known are .jsonl, .json, .csv, .tsv, .parquet"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_bad_files_give_one_clear_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        questions_from_file(tmp_path / name, answer_type="number")
    assert "\n" not in str(error.value)


def test_not_utf8(tmp_path: Path) -> None:
    for name in ("mine.jsonl", "mine.csv"):
        (tmp_path / name).write_bytes(b"question,answer\n\xff\xfe,1\n")
        with pytest.raises(UserError, match=f"{name}.*: not "):
            questions_from_file(tmp_path / name, answer_type="number")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: .*nowhere\.jsonl"):
        questions_from_file(tmp_path / "nowhere.jsonl", answer_type="number")
    with pytest.raises(UserError, match=r"no such file: data/nowhere\.csv"):
        questions_from_file("data/nowhere.csv", answer_type="number")


def test_a_folder_without_data(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(UserError, match="cannot be opened as a dataset") as error:
        questions_from_file(tmp_path, answer_type="number")
    assert "\n" not in str(error.value)


def test_a_name_that_is_neither_file_nor_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match="nobody/nothing: this is no file, and it cannot be loaded from the Hub"
    ) as error:
        questions_from_file("nobody/nothing", answer_type="number")
    assert "\n" not in str(error.value)
