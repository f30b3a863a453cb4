"""The one recogniser of formats: the same exchange in the columns of every project."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.prompts.templates import Templates
from datagen.sources.rows import read_rows
from datagen.sources.tally import SourceTally
from datagen.sources.tasks import Instance, instructions_from

ASKED = ("user", "Rhyme on tea.")
ANSWER = ("assistant", "Sea.")
SYSTEM = ("system", "Be short.")
BEFORE = (("user", "Hello."), ("assistant", "Good day."))


def turns(*pairs, role="role", content="content"):
    return [{role: name, content: text} for name, text in pairs]


def sharegpt(*pairs):
    names = {"user": "human", "assistant": "gpt"}
    return turns(*((names.get(r, r), t) for r, t in pairs), role="from", content="value")


def parts(text):
    return [{"type": "text", "text": text}]


def write(tmp_path, *records):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(file)


def row_of(tmp_path, record):
    tally = SourceTally()
    (row,) = read_rows(write(tmp_path, record), Templates("en"), method="filter", tally=tally)
    prompt, completion = (
        [(turn["role"], turn["content"]) for turn in row[name]] for name in ("prompt", "completion")
    )
    return tuple(prompt), tuple(completion), tally.lines()


SINGLE = [
    {"instruction": "Rhyme on tea.", "input": "", "output": "Sea."},
    {"Instruction": " Rhyme on tea. ", "Output ": "Sea.\n"},
    {"instruction": "Rhyme on tea.", "context": "", "response": "Sea."},
    {"instruction": "Rhyme on tea.", "input": float("nan"), "output": "Sea."},
    {"prompt": "Rhyme on tea.", "completion": "Sea."},
    {"prompt": "Rhyme on tea.", "completion": turns(ANSWER)},
    {"prompt": turns(ASKED), "completion": turns(ANSWER)},
    {"prompt": turns(ASKED), "completion": "Sea."},
    {"question": "Rhyme on tea.", "answer": "Sea."},
    {"query": "Rhyme on tea.", "response": "Sea."},
    {"problem": "Rhyme on tea.", "solution": "Sea."},
    {"input": "Rhyme on tea.", "output": "Sea."},
    {"messages": turns(ASKED, ANSWER)},
    {"messages": json.dumps(turns(ASKED, ANSWER))},
    {"messages": turns(("user", parts("Rhyme on tea.")), ("assistant", parts("Sea.")))},
    {"messages": turns(("user", ["Rhyme on tea."]), ANSWER)},
    {"messages": turns(("User", "Rhyme on tea."), ("model", "Sea."))},
    {"messages": [*turns(ASKED), {"role": "assistant", "content": "Sea.", "tool_calls": []}]},
    {"conversations": sharegpt(ASKED, ANSWER)},
    {"conversations": turns(ASKED, ANSWER)},
    {"conversation": turns(ASKED, ANSWER)},
    {"conversations": {"from": ["human", "gpt"], "value": ["Rhyme on tea.", "Sea."]}},
]


@pytest.mark.parametrize("record", SINGLE)
def test_one_exchange_in_the_columns_of_every_project(tmp_path, record):
    assert row_of(tmp_path, record) == ((ASKED,), (ANSWER,), [])
    tasks = instructions_from(write(tmp_path, record))
    assert [(t.instruction, t.instances, t.context) for t in tasks] == [
        ("Rhyme on tea.", (Instance("", "Sea."),), ())
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": turns(SYSTEM, *BEFORE, ASKED, ANSWER)},
        {"messages": turns(("developer", "Be short."), *BEFORE, ASKED, ANSWER)},
        {"messages": turns(*BEFORE, ASKED, ANSWER), "system": "Be short."},
        {"messages": turns(SYSTEM, *BEFORE, ASKED, ANSWER), "system": "Be short."},
        {"conversations": sharegpt(*BEFORE, ASKED, ANSWER), "system_prompt": "Be short."},
        {"prompt": turns(SYSTEM, *BEFORE, ASKED), "completion": turns(ANSWER)},
        {
            "instruction": "Rhyme on tea.",
            "output": "Sea.",
            "system": "Be short.",
            "history": [["Hello.", "Good day."]],
        },
    ],
)
def test_no_turn_of_a_conversation_is_lost(tmp_path, record):
    assert row_of(tmp_path, record) == ((SYSTEM, *BEFORE, ASKED), (ANSWER,), [])
    (task,) = instructions_from(write(tmp_path, record))
    assert (task.context, task.instruction) == ((SYSTEM, *BEFORE), "Rhyme on tea.")


def test_turns_after_the_last_question_are_all_the_completion(tmp_path):
    record = {"messages": turns(ASKED, ANSWER, ("assistant", "And bee."))}
    assert row_of(tmp_path, record)[1] == (ANSWER, ("assistant", "And bee."))


def test_a_text_beside_the_instruction_is_part_of_the_prompt(tmp_path):
    one, two = ({"instruction": "Who?", "context": text} for text in ("By Ann.", "By Bob."))
    tasks = instructions_from(write(tmp_path, one, two))
    assert [task.instances[0].input for task in tasks] == ["By Ann.", "By Bob."]
    assert len({task.id for task in tasks}) == 2


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": [*turns(ASKED), {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]}, "tool_turns"),
        ({"messages": [*turns(ASKED), {"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "tool_turns"),
        ({"messages": [*turns(ASKED), {"role": "assistant", "content": None, "function_call": {"name": "f"}}]}, "tool_turns"),
        ({"messages": turns(ASKED, ("tool", "22 degrees"), ANSWER)}, "tool_turns"),
        ({"conversations": sharegpt(ASKED, ("function_call", "{}"), ("observation", "3"), ANSWER)}, "tool_turns"),
        ({"messages": turns(("user", [{"type": "image_url", "image_url": {"url": "x"}}, *parts("What is it?")]))}, "not_text"),
        ({"messages": turns(("user", [{"type": "input_audio", "input_audio": {}}]))}, "not_text"),
        ({"messages": turns(("user", None), ANSWER)}, "empty"),
        ({"messages": turns(ASKED, ("assistant", None), ("user", "More."))}, "empty_turn"),
        ({"messages": turns(SYSTEM, ANSWER)}, "no_user_turn"),
        ({"messages": []}, "empty"),
        ({"instruction": None, "output": "x"}, "empty"),
        ({"instruction": "  ", "input": "some text"}, "empty"),
        ({"conversations": sharegpt(("narrator", "Once."), ASKED)}, "unknown_role"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_left_out_with_its_reason(tmp_path, record, reason):
    source = write(tmp_path, record, SINGLE[0])
    for read in (
        lambda tally: instructions_from(source, tally=tally),
        lambda tally: read_rows(source, Templates("en"), method="filter", tally=tally),
    ):
        tally = SourceTally()
        assert len(read(tally)) == 1
        assert tally.lines() == [f"source:    1 of 2 rows left out: {reason} 1"]
    with pytest.raises(UserError, match=rf"that can be used \(left out: {reason} 1\)"):
        instructions_from(write(tmp_path, record))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"instruction": ["a", "b"]}, "line 1: the column 'instruction' holds a list, and a text"),
        ({"instruction": True}, "line 1: the column 'instruction' holds true or false"),
        ({"instruction": "Do.", "input": {"a": 1}}, "line 1: the column 'input' holds an object"),
        ({"instruction": "Do.", "output": ["x"]}, "line 1: the column 'output' holds a list"),
        ({"instruction": "Do.", "history": "x"}, "line 1: the column 'history' holds a text, and"),
        ({"instruction": "Do.", "is_classification": "perhaps"}, "'is_classification' holds a text"),
        ({"messages": "Hello"}, "line 1: the column 'messages' holds a text that is no JSON list"),
        ({"messages": str(turns(ASKED))}, "holds a text that is no JSON list of turns"),
        ({"messages": {"role": "user", "content": "x"}}, "line 1: the column 'messages' holds an object"),
        ({"messages": ["Hello"]}, "line 1: messages, turn 1 is a text, and an object is expected"),
        ({"messages": [*turns(ASKED), {"who": "x", "what": "y"}]}, "line 1: messages, turn 2 needs role and content .* it has who, what"),
        ({"messages": turns(("user", {"a": 1}))}, "'messages, turn 1, content' holds an object"),
        ({"text": "x", "label": 1}, "line 1: no column instruction, messages, .*the columns are text, label"),
        ({}, "line 1: no column instruction.*the columns are none"),
    ],
)  # fmt: skip
def test_what_is_no_text_never_becomes_one(tmp_path, record, said):
    with pytest.raises(UserError, match=said) as error:
        instructions_from(write(tmp_path, record))
    assert "rows.jsonl" in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_are_texts_and_half_a_surrogate_pair_is_no_character(tmp_path):
    tasks = instructions_from(
        write(tmp_path, {"instruction": 7, "input": 0}, {"instruction": "A \ud83d b"})
    )
    assert [(t.instruction, t.instances[0].input) for t in tasks] == [("7", "0"), ("A � b", "")]


def test_columns_that_are_not_read_are_named_once(tmp_path):
    tally = SourceTally()
    records = [
        {"instruction": "A", "output": "x", "category": "c", "empty": None, "id": 1},
        {"instruction": "B", "output": "x", "category": "c", "label": 0, "empty": []},
        {"messages": [{"role": "user", "content": "C", "weight": 0}], "source": "web"},
    ]
    instructions_from(write(tmp_path, *records), tally=tally)
    assert tally.lines() == [
        "source:    columns category, label, source, messages.weight are not read"
    ]


def test_a_label_of_a_spreadsheet_is_read_as_it_is_written(tmp_path):
    (tmp_path / "a.csv").write_text(
        "instruction,is_classification\nA,false\nB,True\nC,\nD,0\nE,yes\n"
    )
    tasks = instructions_from(str(tmp_path / "a.csv"))
    assert [task.is_classification for task in tasks] == [False, True, None, False, True]


def test_ids_are_made_unique_by_content(tmp_path):
    rows = [
        {"id": 1, "instruction": "A"},
        {"id": 1, "instruction": "B"},
        {"id": "1", "instruction": "A"},
        {"id": 2, "instruction": "B"},
        {"instruction": "A"},
        {"instruction": "A", "output": "another"},
        {"id": 1, "instruction": "B"},
    ]
    tally = SourceTally()
    tasks = instructions_from(write(tmp_path, *rows), tally=tally)
    assert [t.instruction for t in tasks] == ["A", "B", "B", "A"]
    assert (tasks[0].id, tasks[2].id) == ("1", "2")
    assert len({task.id for task in tasks}) == 4
    assert tally.lines() == [
        "source:    3 of 7 rows repeat an earlier row and were used once",
        "source:    1 of 7 rows share an id and got one of their own",
    ]
    # the id of a row depends on its content, not on its place
    again = instructions_from(write(tmp_path, rows[0], rows[3], rows[1]))
    assert again[2].id == tasks[1].id


def test_rows_are_all_kept_under_ids_of_their_own(tmp_path):
    rows = [{"id": "x", "instruction": "A", "output": o} for o in ("1", "1", "2", "1")]
    tally = SourceTally()
    found = read_rows(write(tmp_path, *rows), Templates("en"), method="filter", tally=tally)
    assert [row["output"] for row in found] == ["1", "1", "2", "1"]
    assert found[0]["id"] == "x"
    assert len({row["id"] for row in found}) == 4
    assert tally.lines() == ["source:    1 of 4 rows share an id and got one of their own"]


def test_a_seed_file_gives_a_row_for_each_instance(tmp_path):
    seed = {
        "id": "s",
        "instruction": "Add.",
        "instances": [{"input": "1 1", "output": 2}, {"input": "1 2", "output": None}],
        "is_classification": False,
    }
    found = read_rows(write(tmp_path, seed), Templates("en"), method="filter")
    assert [(row["id"], row["input"], row["output"]) for row in found] == [
        ("s", "1 1", "2"),
        ("s#1", "1 2", ""),
    ]


def test_columns_that_arrow_adds_are_nothing(tmp_path):
    rows = [{"messages": turns(ASKED, ANSWER), "instruction": None, "category": None}]
    table = pa.Table.from_pylist([*rows, {"instruction": "B", "category": ""}])
    pq.write_table(table, tmp_path / "a.parquet")
    tally = SourceTally()
    tasks = instructions_from(str(tmp_path / "a.parquet"), tally=tally)
    assert [task.instruction for task in tasks] == ["Rhyme on tea.", "B"]
    assert tally.lines() == []


def test_a_limit_stops_the_reading(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "A"}\n{"instruction": "B"}\nbroken\n')
    assert len(instructions_from(str(tmp_path / "a.jsonl"), limit=2)) == 2
    found = read_rows(str(tmp_path / "a.jsonl"), Templates("en"), method="filter", limit=1)
    assert [row["instruction"] for row in found] == ["A"]


def test_a_dataset_of_the_hub_is_read_unless_the_store_has_a_version(monkeypatch, tmp_path):
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_list([SINGLE[0]])
    asked = []
    found = datasets.DatasetDict(train=table, test=table)
    monkeypatch.setattr(datasets, "load_dataset", lambda name: asked.append(name) or found)
    monkeypatch.setenv("EMERGENT_STORE", str(tmp_path))
    for source, other in (("org/rhymes", "test"), ("org/rhymes:test", "train")):
        tally = SourceTally()
        (task,) = instructions_from(source, tally=tally)
        assert task.instruction == "Rhyme on tea."
        assert tally.lines() == [f"source:    split {other} is not read"]
    assert asked == ["org/rhymes"] * 2
    with pytest.raises(UserError, match="no-such-dataset"):
        instructions_from("no-such-dataset")
