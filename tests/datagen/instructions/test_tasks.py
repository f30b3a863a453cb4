"""Seed files and other sources of instructions: every known form, and one line for what is wrong in
a file."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.sources.tally import SourceTally
from datagen.sources.tasks import Instance, Task, instructions_from, read_tasks

GOOD = {
    "id": "a",
    "name": "x",
    "instruction": " Sum. ",
    "instances": [{"input": "1 2", "output": "3"}],
    "is_classification": False,
}


def write(path: Path, *records: dict | str) -> Path:
    path.write_text(
        "".join(
            (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)) + "\n" for r in records
        )
    )
    return path


def test_the_published_format(tmp_path):
    tasks = read_tasks(
        write(tmp_path / "s.jsonl", GOOD, "", GOOD | {"id": "b", "is_classification": True})
    )
    assert tasks == [
        Task("a", "Sum.", (Instance("1 2", "3"),), False),
        Task("b", "Sum.", (Instance("1 2", "3"),), True),
    ]


def test_seeds_come_in_every_format_and_no_id_is_trusted(tmp_path):
    tally = SourceTally()
    other = GOOD | {"instruction": "Count."}
    (tmp_path / "s.json").write_text(json.dumps([GOOD, other, GOOD, GOOD | {"id": "b"}]))
    tasks = read_tasks(tmp_path / "s.json", tally)
    assert [task.instruction for task in tasks] == ["Sum.", "Count.", "Sum."]
    assert len({task.id for task in tasks}) == 3
    assert tally.lines() == [
        "source:    1 of 4 rows repeat an earlier row and were used once",
        "source:    1 of 4 rows share an id and got one of their own",
    ]


def test_what_a_seed_does_not_say_never_becomes_the_word_none(tmp_path):
    seed = GOOD | {"instances": [{"input": None, "output": 3}], "is_classification": None}
    (task,) = read_tasks(write(tmp_path / "s.jsonl", seed))
    assert task.instances == (Instance("", "3"),)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (
            (GOOD, "", {"id": "b"}),
            r"s.jsonl, line 3: the field 'instruction' is missing; there are id",
        ),
        ((GOOD | {"instruction": "  "},), r"s.jsonl, line 1: the instruction is empty"),
        ((GOOD | {"instances": ["x"]},), r"s.jsonl, line 1: instances must be"),
        ((GOOD, "{"), r"s.jsonl, line 2: not JSON"),
        ((GOOD, "[1]"), r"s.jsonl, line 2: not an object with columns"),
        (("",), r"s.jsonl holds no tasks"),
        ((), r"s.jsonl: the file is empty"),
        (
            (GOOD | {"instances": [{"input": "x", "output": ["y"]}]},),
            r"s.jsonl, line 1: the column 'output' holds a list",
        ),
        (
            (GOOD | {"is_classification": "perhaps"},),
            r"s.jsonl, line 1: the column 'is_classification' holds a text",
        ),
    ],
)
def test_what_is_wrong_and_where(tmp_path, records, said):
    with pytest.raises(UserError, match=said):
        read_tasks(write(tmp_path / "s.jsonl", *records))


def test_instructions_come_in_every_known_form(tmp_path):
    rows = [
        {"instruction": "Sum.", "input": "1 2", "output": "3"},
        {"instruction": "Sum.", "input": "1 2", "output": "4"},
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello"},
            ]
        },
        {"prompt": [{"role": "user", "content": "Q"}]},
    ]
    tasks = instructions_from(str(write(tmp_path / "m.jsonl", *rows)))
    assert [(t.instruction, t.instances) for t in tasks] == [
        ("Sum.", (Instance("1 2", "3"),)),
        ("Hi", (Instance("", "Hello"),)),
        ("Q", (Instance("", ""),)),
    ]
    pq.write_table(pa.Table.from_pylist(rows[:1]), tmp_path / "instructions.parquet")
    assert (
        instructions_from(str(tmp_path))
        == tasks[:1]
        == instructions_from(str(tmp_path / "instructions.parquet"))
    )


def test_sources_that_are_none(tmp_path):
    with pytest.raises(
        UserError, match=r"m.jsonl, line 1: no column instruction, messages, .*are text"
    ):
        instructions_from(str(write(tmp_path / "m.jsonl", {"text": "x"})))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"holds no instructions"):
        instructions_from(str(tmp_path))
