import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.filters.command import run_filter
from datagen.filters.settings import FilterSettings

QUESTION = (
    "Mara packs twelve crates of pears each hour and sells half of them at the harbour before noon "
    "every day"
)
STORY = (
    "Write a short story about a lighthouse keeper who finds a message in a bottle one winter "
    "morning"
)
ROWS = [
    ("1", STORY, "", "Once upon a time there was a keeper of the light."),
    ("2", STORY + " at sea", "", "Another story."),
    ("3", "Solve it.", QUESTION, "Six."),
    ("4", "Name a fruit", "", "I'm sorry, but I cannot help with that."),
    ("5", "name a FRUIT", "", "Pear"),
    ("6", "Name a fruit.", "", "Plum"),
    ("7", "Name a river", "", "Elbe"),
]


@pytest.fixture
def source(tmp_path) -> str:
    keys = ("id", "instruction", "input", "output")
    lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in ROWS]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "rows.jsonl")


def read(path: Path):
    return pq.read_table(path).to_pylist()


def run(source, out, **settings):
    run_filter(FilterSettings(source, out=out, **settings))
    kept = [row["id"] for row in read(out / "instructions.parquet")]
    return kept, {
        row["id"]: (row["reason"], row["detail"]) for row in read(out / "rejected.parquet")
    }


def test_every_row_is_kept_or_named_with_what_it_met(source, tmp_path):
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": QUESTION, "answer": "#### 6"}))
    kept, rejected = run(
        source,
        tmp_path / "run",
        near_duplicates=0.8,
        against="gsm8k",
        data_root=tmp_path / "test.jsonl",
        responses=True,
    )
    assert kept == ["1", "5", "7"]
    assert rejected == {
        "2": ("near_duplicate", "row 1 (0.889)"),
        "3": ("contaminated", "gsm8k test row 0 (8-gram 1.00)"),
        "4": ("refusal", None),
        "6": ("exact_duplicate", "row 5 (1.000)"),  # 4 went before, for its response
    }


def test_checks_are_off_unless_asked_for(source, tmp_path):
    kept, rejected = run(source, tmp_path / "run", exact_duplicates=False)
    assert (len(kept), rejected) == (len(ROWS), {})


def test_a_run_can_be_filtered_again_and_its_rows_stay_what_they_were(source, tmp_path):
    run(source, tmp_path / "first")
    kept, rejected = run(str(tmp_path / "first"), tmp_path / "second", embedding_duplicates=0.85)
    assert rejected.keys() == {"2"}
    before = {row["id"]: row for row in read(tmp_path / "first" / "instructions.parquet")}
    assert [before[row] for row in kept] == read(tmp_path / "second" / "instructions.parquet")


def test_the_same_command_gives_the_same_bytes(source, tmp_path):
    for name in ("a", "b"):
        run(source, tmp_path / name, near_duplicates=0.8)
    for file in ("instructions.parquet", "rejected.parquet", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"near_duplicates": 1.5}, "--near_duplicates 1.5: must be between 0 and 1"),
        ({"repetition": float("nan")}, "--repetition"),
        ({"longest": 0}, "--longest 0"),
        ({"against": "gsm9k"}, "no suite 'gsm9k'"),
        ({"against": "microworld"}, "--against microworld"),
        ({"embedding_duplicates": 0.9, "encoder": "nothing"}, "encoder 'nothing'"),
    ],
)
def test_bad_settings_are_one_line(source, tmp_path, settings, message):
    with pytest.raises(UserError) as error:
        run_filter(FilterSettings(source, out=tmp_path / "run", **settings))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_that_ended_before_its_first_row_does_not_bind_its_folder(source, tmp_path):
    with pytest.raises(UserError, match="no suite 'gms8k'"):
        run(source, tmp_path / "run", against="gms8k")
    kept, _ = run(source, tmp_path / "run")
    assert kept

    # with rows in it, the folder belongs to that run
    before = (tmp_path / "run" / "instructions.parquet").read_bytes()
    with pytest.raises(UserError, match="holds a run of another configuration"):
        run(source, tmp_path / "run", exact_duplicates=False)
    assert (tmp_path / "run" / "instructions.parquet").read_bytes() == before


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "parquet"])
def test_a_source_may_have_any_form_of_table(source, tmp_path, suffix):
    columns = ("instruction", "input", "output")
    rows = [dict(zip(columns, row[1:], strict=True)) for row in ROWS]
    file = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif suffix == "json":
        file.write_text(json.dumps(rows))
    else:
        with file.open("w", newline="") as out:
            writer = csv.DictWriter(out, columns, delimiter="\t" if suffix == "tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    run(source, tmp_path / "jsonl")
    run(str(file), tmp_path / suffix)
    kept, expected = (
        [row["instruction"] for row in read(tmp_path / name / "instructions.parquet")]
        for name in (suffix, "jsonl")
    )
    assert kept == expected


def test_a_damaged_table_is_one_line(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"no table")
    with pytest.raises(UserError, match=r"rows.parquet: not Parquet"):
        run(str(tmp_path / "rows.parquet"), tmp_path / "run")


def test_the_summary_speaks_of_no_answers_and_no_tokens(source, tmp_path):
    lines = run_filter(FilterSettings(source, out=tmp_path / "run")).summary.splitlines()
    assert lines[0].startswith("7 rows in ")
    assert lines[1:3] == ["accepted:  5", "rejected:  exact_duplicate 2"]
    assert len(lines) == 4
