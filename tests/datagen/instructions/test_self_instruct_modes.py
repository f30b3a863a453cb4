"""The three modes against a teacher on loopback, the instance filters, and the shipped
templates."""

import json

import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.instructions.self_instruct.asking import Asking
from datagen.instructions.self_instruct.command import run_self_instruct
from datagen.instructions.self_instruct.instances import faults
from datagen.instructions.self_instruct.modes import mode
from datagen.instructions.self_instruct.parse import blocks, items
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.prompts.templates import Templates
from datagen.sources.tasks import Instance, Task
from tests.datagen.endpoint import Served
from tests.datagen.instructions.writer import Writer, write_templates

TASKS = [
    Task(
        f"t{i}",
        f"Name {i} rivers of the north.",
        (Instance("" if i % 2 else "in\nAsia", f"{i} names"),),
        False,
    )
    for i in range(1, 9)
]
LABELLING = Task(
    "t9", "Is it old or new?", (Instance("a castle", "old"), Instance("a tower", "new")), True
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a mode against a writer and returns the writer, accepted and rejected rows, and the
    statistics."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    seeds, templates = tmp_path / "seeds.jsonl", write_templates(tmp_path / "templates")
    rows = [
        {"id": t.id, "instruction": t.instruction, "instances": [vars(i) for i in t.instances]}
        for t in TASKS
    ]
    seeds.write_text("".join(json.dumps(row | {"is_classification": False}) + "\n" for row in rows))

    def start(writer, out="run", **words):
        words = {"teacher": "openai:arith", "language": "en", "target": 12, "lag": 4, **words}
        asked = SelfInstructSettings(seeds=seeds, templates=templates, out=tmp_path / out, **words)
        with Served(writer) as url:
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            run_self_instruct(asked)
        tables = [
            pq.read_table(tmp_path / out / f"{name}.parquet").to_pylist()
            for name in ("instructions", "rejected")
        ]
        return writer, *tables, json.loads((tmp_path / out / "stats.json").read_text())

    return start


@pytest.mark.parametrize("style", ["base", "chat"])
def test_alpaca_shows_three_seeds_with_outputs_and_asks_nothing_more(run, style):
    writer, kept, dropped, stats = run(Writer(), mode="alpaca", style=style, concurrency=1)
    assert len(writer.bodies) == stats["calls"]
    for body in writer.bodies:
        prompt = body["prompt"] if style == "base" else body["messages"][-1]["content"]
        shown = blocks(prompt.rsplit("\n1. Instruction:", 1)[0] if style == "base" else prompt)
        assert len(shown) == 3
        assert {b["instruction"] for b in shown} <= {task.instruction for task in TASKS}
        assert all(b["output"].endswith("names") for b in shown)
        assert body["temperature"] == 1.0
    assert all(row["is_classification"] is None and row["input"] == "" for row in kept)
    assert stats["classification"] is None
    assert any("music" in row["instruction"] for row in dropped if row["reason"] == "blocked_word")
    assert not any("music" in row["instruction"] for row in kept)


def test_alpaca_loses_the_last_task_of_an_answer_that_was_cut_off(run):
    class Cut(Writer):
        def reply(self, body, fault):
            reply = super().reply(body, fault)
            reply["choices"][0]["finish_reason"] = "length"
            return reply

    _, kept, dropped, stats = run(Cut(), mode="alpaca", style="chat", concurrency=1, target=5)
    assert stats["ended"] == "target"
    assert len(kept) == 5
    _, _, dropped, _ = run(Cut(), "long", mode="alpaca", style="chat", concurrency=1, target=40)
    cut = [row for row in dropped if row["reason"] == "truncated"]
    assert cut
    assert all(row["instruction"] for row in cut)


@pytest.mark.parametrize("style", ["base", "chat"])
def test_unnatural_rewords_each_row_with_its_input_and_output(run, style):
    writer, kept, dropped, _ = run(Writer(), mode="unnatural", style=style, concurrency=2)
    originals = {row["id"]: row for row in kept if row["operation"] is None}
    reworded = [row for row in kept if row["operation"] == "paraphrase"]
    assert originals
    assert reworded
    for row in reworded:
        (parent,) = row["parents"]
        original = originals[parent]
        assert row["instruction"] == "Please " + original["instruction"].lower()
        assert (row["input"], row["output"]) == (original["input"], original["output"])
    assert "same_wording" in {
        row["reason"] for row in dropped
    }  # the writer rewords in one way only
    key = "prompt" if style == "base" else "messages"
    greedy = [
        body
        for body in writer.bodies
        if "Constraints: None." in str(body[key]) and "Examples" not in str(body[key])
    ]
    assert {body["temperature"] for body in greedy} == {0.0}


def test_a_constraint_is_part_of_the_instruction_and_of_the_question(run):
    class Strict(Writer):
        def write(self, prompt, rng, base):
            text = super().write(prompt, rng, base)
            return text.replace("Constraints: None.", "Constraints: Use one word.")

    writer, kept, _, _ = run(
        Strict(), mode="unnatural", style="chat", concurrency=1, target=4, paraphrases=0
    )
    assert all(row["instruction"].endswith(". Use one word.") for row in kept)
    assert (
        sum(
            "Constraints: Use one word.\nOutput:" in str(b["messages"][-1]["content"])
            for b in writer.bodies
        )
        >= 4
    )


@pytest.mark.parametrize(
    ("instances", "cut", "expected"),
    [
        ([("a", "b"), ("c", "d")], False, [None, None]),
        ([("a", "a"), ("a ", "a")], False, ["input_equals_output", None]),
        ([("", "")], False, ["empty_output"]),
        ([("", "as follows:"), ("", "at 10:30")], False, ["trailing_colon", None]),
        ([("list：", "b"), ("a", "b")], False, ["trailing_colon", None]),
        ([("a", "b"), ("c", "d")], True, [None, "truncated"]),
        ([("a", "b"), ("a", "c"), ("d", "e")], False, ["conflicting_outputs"] * 3),
        ([("a", "b"), ("a", "b"), ("a", "")], False, [None, "duplicate_instance", "empty_output"]),
        (
            [("", "b"), ("", "c")],
            False,
            [None, None],
        ),  # without an input, several answers may be right
        ([("a", "b"), ("a", "c")], True, [None, "truncated"]),  # what was cut off proves nothing
    ],
)
def test_instance_filters(instances, cut, expected):
    assert faults([Instance(*pair) for pair in instances], cut=cut) == expected


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("style", ["base", "chat"])
def test_the_shipped_templates_carry_what_the_parsers_read(language, style):
    """What a mode shows as demonstrations, it reads back from an answer of the same form."""
    asking = Asking(Templates(language), style)

    def made(name):
        return mode(
            asking,
            {},
            SelfInstructSettings(mode=name, teacher="openai:x", language=language, style=style),
        )

    def text(prompt):
        return prompt if isinstance(prompt, str) else prompt[-1][1]

    shown = text(made("self-instruct").prompt(TASKS))
    numbered = shown[shown.index("\n1") :]
    assert items(numbered)[:7] == [task.instruction for task in TASKS[:7]]
    assert not isinstance(shown, str) or style == "chat" or shown.endswith("\n9.")
    assert [
        c.instruction
        for c in made("self-instruct").read(
            " Go.\n10. Stay." if style == "base" else "1. Go.\n2. Stay."
        )
    ] == [
        "Go.",
        "Stay.",
    ]
    demonstrations = [*TASKS[:2], LABELLING]
    found = blocks(text(made("alpaca").prompt(demonstrations)))[:3]
    assert [(b["instruction"], b["output"]) for b in found] == [
        (t.instruction, t.instances[0].output) for t in demonstrations
    ]
    found = [
        b for b in blocks(text(made("unnatural").prompt(demonstrations))) if b.get("constraints")
    ]
    assert [b["instruction"] for b in found] == [t.instruction for t in demonstrations]
    assert "new, old" in found[-1]["constraints"]


def test_a_mode_without_templates_in_the_language_is_one_line(tmp_path):
    words = write_templates(tmp_path / "words")
    for name in ("alpaca",):
        (words / f"{name}.txt").unlink()
    with pytest.raises(UserError, match=r"there is no template alpaca\.txt"):
        mode(
            Asking(Templates("micro", words), "base"), {}, SelfInstructSettings(mode="alpaca")
        ).prompt(TASKS[:3])


def test_an_unknown_variable_in_a_template_is_one_line(tmp_path):
    words = write_templates(tmp_path / "words")
    (words / "item.txt").write_text("{nummer}. {instruction}")
    with pytest.raises(UserError, match=r"item.txt: unknown variable {nummer}"):
        mode(Asking(Templates("micro", words), "base"), {}, SelfInstructSettings())
