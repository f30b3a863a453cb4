"""Every row of a source is accounted for: asked, or counted in stats.json and in the summary."""

import json

import pyarrow.parquet as pq
import pytest

from datagen.api import generating
from datagen.cli import main
from datagen.demonstrations.mapped import mapped_pool
from datagen.demonstrations.mapping import TaskMap
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats
from datagen.sources.tally import SourceTally
from tests.datagen.endpoint import Served
from tests.datagen.instructions.evolving import Scripted, save_templates

TURNS = [
    {"role": "system", "content": "Speak like a sailor."},
    {"role": "user", "content": "Describe the sea."},
    {"role": "assistant", "content": "Deep."},
    {"role": "user", "content": "Describe a ship."},
    {"role": "assistant", "content": "A big one."},
]


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Scripted()
    endpoint.answer = lambda prompt, way: ("Aye, that it is.", "stop")
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


@pytest.fixture
def datagen(tmp_path, capsys):
    """Run a command on records; returns what it printed, stats.json and the accepted rows."""
    templates = save_templates(tmp_path / "templates")

    def datagen(command, records, *more):
        source = tmp_path / "rows.jsonl"
        source.write_text("".join(json.dumps(record) + "\n" for record in records))
        out = tmp_path / f"{command}.run"
        words = [command, str(source), "--out", str(out), *more]
        if command != "filter":
            words += ["--teacher", "openai:arith", "--templates", str(templates)]
        assert main(words) == 0
        said = capsys.readouterr().out
        if "--dry-run" in more:
            return said, None, None
        stats = json.loads((out / "stats.json").read_text())
        return said, stats, pq.read_table(out / "instructions.parquet").to_pylist()

    return datagen


def test_respond_says_how_many_rows_repeat(endpoint, datagen):
    records = [{"instruction": f"Name {i % 90} birds."} for i in range(100)]
    said, stats, rows = datagen("respond", records)
    assert "source:    10 of 100 rows repeat an earlier row and were used once\n" in said
    assert (stats["source"]["rows"], stats["source"]["repeats"]) == (100, 10)
    assert stats["questions"] == len(rows) == 90
    assert RunStats.read(stats, "stats.json").source.repeats == 10


def test_a_dry_run_says_the_same(endpoint, datagen):
    records = [{"instruction": "A"}, {"instruction": "A"}, {"instruction": "B", "tags": "x"}]
    said, _, _ = datagen("respond", records, "--dry-run")
    assert "1 of 3 rows repeat" in said
    assert "column tags is not read" in said
    assert endpoint.bodies == []


def test_stats_of_older_runs_stay_readable(endpoint, datagen):
    _, stats, _ = datagen("respond", [{"instruction": "A"}])
    older = {key: value for key, value in stats.items() if key != "source"}
    assert RunStats.read(older, "stats.json").source is None
    assert to_json(RunStats.read(older, "stats.json")) == older


def test_respond_asks_the_last_turn_after_all_the_others(endpoint, datagen):
    said, _, (row,) = datagen("respond", [{"id": "c", "messages": TURNS}])
    (body,) = endpoint.bodies
    assert body["messages"] == row["prompt"] == TURNS[:4]
    assert row["instruction"] == "Describe a ship."
    assert row["system"] == "Speak like a sailor."
    assert row["parents"] == ["c"]
    assert "source:" not in said


def test_a_system_prompt_of_the_row_is_kept_with_systems(endpoint, datagen):
    _, _, rows = datagen("respond", [{"messages": TURNS}, {"instruction": "A"}], "--systems")
    assert [len(row["prompt"]) for row in rows] == [4, 2]
    assert rows[0]["system"] == "Speak like a sailor."
    assert rows[1]["system"] not in (None, rows[0]["system"])


def test_another_conversation_before_the_same_question_is_another_run(endpoint, datagen, capsys):
    datagen("respond", [{"id": "c", "messages": TURNS}])
    with pytest.raises(AssertionError):
        datagen("respond", [{"id": "c", "messages": TURNS[1:]}])
    assert "holds a run of another configuration: source.sha256" in capsys.readouterr().err


def test_filter_keeps_all_turns(datagen):
    _, _, (row,) = datagen("filter", [{"messages": TURNS}])
    assert row["prompt"] == TURNS[:4]
    assert row["completion"] == TURNS[4:]


def test_rows_of_a_run_keep_their_turns_when_they_are_read_again(endpoint, datagen, tmp_path):
    datagen("respond", [{"messages": TURNS}])
    before = pq.read_table(tmp_path / "respond.run" / "instructions.parquet").to_pylist()
    again = generating.filter_rows(tmp_path / "respond.run", out=tmp_path / "again")
    assert list(again.rows()) == before


def test_a_judge_sees_the_whole_conversation(endpoint, datagen):
    endpoint.say = lambda prompt, rng: ("Score: 5", "stop")
    datagen("judge", [{"messages": TURNS}, {"instruction": "A", "output": "b"}])
    asked = sorted(body["messages"][-1]["content"] for body in endpoint.bodies)
    assert asked == [
        "SCORE\nA\nb",
        "SCORE\n[system] Speak like a sailor.\n[user] Describe the sea.\n[assistant] Deep.\n"
        "[user] Describe a ship.\nA big one.",
    ]


def test_evol_instruct_keeps_a_system_prompt_and_leaves_conversations_out(endpoint, datagen):
    alone = {"messages": [TURNS[0], *TURNS[3:]]}
    said, stats, rows = datagen("evol-instruct", [alone, {"messages": TURNS}], "--rounds", "1")
    assert "1 of 2 rows left out: history 1" in said
    assert stats["source"]["left_out"] == {"history": 1}
    for row in rows:
        assert row["prompt"][0] == TURNS[0]
        assert row["system"] == "Speak like a sailor."
        assert row["prompt"] in [body["messages"] for body in endpoint.bodies]


def test_question_files_name_the_columns_that_are_not_read(endpoint, tmp_path, capsys):
    source = tmp_path / "q.jsonl"
    row = {"question": "What is 3 plus 4?", "answer": 7, "choices": ["7", "8"]}
    source.write_text(json.dumps(row) + "\n")
    out = tmp_path / "run"
    words = ["rationales", str(source), "--keep_by", "none", "--teacher", "openai:arith"]
    endpoint.say = lambda prompt, rng: ("The answer is 7.", "stop")
    assert main([*words, "--out", str(out)]) == 0
    assert "source:    column choices is not read\n" in capsys.readouterr().out
    stats = json.loads((out / "stats.json").read_text())
    assert stats["source"]["unread_columns"] == ["choices"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"question": ["What?"], "answer": 7}, "line 1: the column 'question' holds a list"),
        ({"question": "What?", "answer": {"n": 7}}, "line 1: the column 'answer' holds an object"),
        ({"question": "What?", "answer": True}, "line 1: the column 'answer' holds true or false"),
        ({"question": float("nan"), "answer": 7}, "line 1: the column 'question' is empty"),
    ],
)
def test_a_question_that_is_no_text_stops_the_command(tmp_path, capsys, record, said):
    (tmp_path / "q.jsonl").write_text(json.dumps(record) + "\n")
    assert main(["rationales", str(tmp_path / "q.jsonl"), "--dry-run"]) == 2
    assert said in capsys.readouterr().err


def test_true_and_false_answer_a_yes_no_question(tmp_path):
    from datagen.suites import questions_from_file

    (tmp_path / "q.jsonl").write_text(
        '{"question": "Is it?", "answer": true}\n{"question": "Was it?", "answer": false}\n'
    )
    found = questions_from_file(tmp_path / "q.jsonl", answer_type="yesno")
    assert [question.gold for question in found] == ["yes", "no"]


def test_a_split_of_a_dataset_is_the_one_that_is_named(tmp_path, capsys):
    tables = {"train": [{"question": "1 + 1?", "answer": 2}], "test": [{"question": "2 + 2?", "answer": 4}]}  # fmt: skip
    (tmp_path / "q.json").write_text(json.dumps(tables))
    source = str(tmp_path / "q.json")
    for words in ([source, "--split", "test"], [f"{source}:test"]):
        assert main(["rationales", *words, "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert "2 + 2?" in said
        assert "split train is not read" in said


def test_mapped_rows_without_a_text_are_counted(tmp_path):
    rows = [{"title": f"Book {i}", "label": i % 2} for i in range(40)]
    rows += [{"title": None, "label": 1}, {"title": "X", "label": -1}, rows[0]]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = TaskMap(task="r", input="{title}", output="label", options=("no", "yes"), file="r.jsonl")
    tally = SourceTally()
    pool = mapped_pool(task, tmp_path, tally=tally)
    examples = (*pool.candidates, *pool.train, *pool.test)
    assert not any("None" in example.input for example in examples)
    assert tally.lines() == [
        "source:    2 of 43 rows left out: no_input_or_output 2",
        "source:    1 of 43 rows repeat an earlier row and were used once",
    ]
