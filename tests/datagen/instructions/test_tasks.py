"""Seed files and other sources of instructions: every known form, and one line for what is wrong in
a file."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
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


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ((GOOD, GOOD), r"s.jsonl, line 2: the id 'a' was there before"),
        (
            (GOOD, "", {"id": "b"}),
            r"s.jsonl, line 3: the field 'instruction' is missing; there are id",
        ),
        ((GOOD | {"instruction": "  "},), r"s.jsonl, line 1: the instruction is empty"),
        ((GOOD | {"instances": ["x"]},), r"s.jsonl, line 1: instances must be"),
        ((GOOD, "{"), r"s.jsonl, line 2 is no JSON"),
        (("[1]",), r"s.jsonl, line 1: a JSON object is expected"),
        ((), r"s.jsonl holds no tasks"),
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
        {"prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]},
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
        UserError, match=r"m.jsonl, line 1: no column instruction, messages or prompt.*are text"
    ):
        instructions_from(str(write(tmp_path / "m.jsonl", {"text": "x"})))
    with pytest.raises(UserError, match=r"holds no instructions"):
        instructions_from(str(tmp_path))
