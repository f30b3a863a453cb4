"""The teacher's answers to an instruction set, by a scripted teacher over a socket."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.instructions.respond.command import RespondSettings, run_respond
from datagen.prompts.templates import Templates
from tests.datagen.endpoint import Served
from tests.datagen.instructions.evolving import REFUSAL, Scripted, save_templates


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Scripted(delay=0.02)
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "tasks.jsonl"
    tasks = [
        {
            "id": f"t{i}",
            "instruction": f"Compare the sizes of number {i} and of its square.",
            "instances": [
                {"input": "aloud", "output": "x"},
                {"input": "in silence", "output": "y"},
            ][: i % 3],
            "is_classification": i == 0,
        }
        for i in range(12)
    ]
    path.write_text("".join(json.dumps(task) + "\n" for task in tasks))
    return path


def run(source: Path, out: Path, **settings) -> tuple[list[dict], list[dict]]:
    folder = out.parent / "templates"
    templates = folder if folder.exists() else save_templates(folder)
    run_respond(
        RespondSettings(
            str(source), teacher="openai:arith", templates=templates, out=out, **settings
        )
    )
    accepted, rejected = (
        pq.read_table(out / f"{name}.parquet").to_pylist() for name in ("instructions", "rejected")
    )
    return accepted, rejected


def test_every_sample_of_every_input_is_a_row(source, endpoint, tmp_path):
    accepted, rejected = run(source, tmp_path / "run", samples=3)
    every = accepted + rejected
    prompts = 4 * 1 + 4 * 1 + 4 * 2  # tasks without an input, with one, with two
    assert len(every) == 3 * prompts == len({row["id"] for row in every})
    assert {row["parents"][0] for row in every} == {f"t{i}" for i in range(12)} | {
        f"t{i}#1" for i in (2, 5, 8, 11)
    }
    for row in every:
        asked = row["instruction"] + (f" | {row['input']}" if row["input"] else "")
        assert row["prompt"] == [{"role": "user", "content": asked}]
        assert row["completion"][0]["content"] == row["output"]
        assert row["is_classification"] == (row["parents"] == ["t0"])
        assert row["system"] is None
    assert all(row["output"].startswith(("The answer to it", "What is that")) for row in accepted)


def test_what_is_no_response_has_a_reason(source, endpoint, tmp_path):
    _, rejected = run(source, tmp_path / "run", samples=6)
    by_reason = {
        reason: [r for r in rejected if r["reason"] == reason]
        for reason in {r["reason"] for r in rejected}
    }
    assert {"refusal", "truncated", "empty"} <= set(by_reason)
    assert {row["output"] for row in by_reason["refusal"]} == {REFUSAL}
    assert {row["finish_reason"] for row in by_reason["truncated"]} == {"length"}
    assert {row["output"] for row in by_reason["empty"]} == {""}


def test_a_response_that_goes_round_in_circles_is_repetitive(source, endpoint, tmp_path):
    endpoint.answer = lambda prompt, way: (
        "One and two and three. " * (9 if way < 0.5 else 1),
        "stop",
    )
    accepted, rejected = run(source, tmp_path / "run")
    assert {row["output"].count("three") for row in accepted} == {1}
    assert {(row["reason"], row["output"].count("three")) for row in rejected} == {
        ("repetitive", 9)
    }


def test_a_response_that_was_there_is_a_duplicate(source, endpoint, tmp_path):
    endpoint.answer = lambda prompt, way: (
        "The  same answer." if way < 0.5 else "the same\nanswer.",
        "stop",
    )
    accepted, rejected = run(source, tmp_path / "run", samples=3)
    assert len(accepted) == 16
    assert len(rejected) == 32
    assert {row["reason"] for row in rejected} == {"duplicate"}


def test_a_system_prompt_is_drawn_by_instruction_and_kept_in_the_row(source, endpoint, tmp_path):
    accepted, rejected = run(source, tmp_path / "run", samples=2, systems=True)
    templates = Templates("en")
    known = {templates.text(f"systems/{name}").strip() for name in templates.names("systems")}
    drawn = {}
    for row in accepted + rejected:
        system, asked = row["prompt"]
        assert (system["role"], asked["role"]) == ("system", "user")
        assert system["content"] == row["system"]
        assert row["system"] in known
        assert drawn.setdefault(row["parents"][0], row["system"]) == row["system"]
    assert len(set(drawn.values())) > 3
    sent = {tuple(turn["content"] for turn in body["messages"]) for body in endpoint.bodies}
    assert sent == {tuple(turn["content"] for turn in row["prompt"]) for row in accepted + rejected}
    other, _ = run(source, tmp_path / "other", samples=2, systems=True, seed=1)
    assert {row["parents"][0]: row["system"] for row in other} != {
        row["parents"][0]: row["system"] for row in accepted
    }


def test_concurrency_changes_no_byte_and_a_run_can_be_answered_again(source, endpoint, tmp_path):
    for name, concurrency in (("one", 1), ("many", 64)):
        run(source, tmp_path / name, samples=2, systems=True, concurrency=concurrency)
    for name in ("instructions", "rejected"):
        one, many = ((tmp_path / run / f"{name}.parquet").read_bytes() for run in ("one", "many"))
        assert one == many
    accepted, _ = run(source, tmp_path / "first")
    again, _ = run(tmp_path / "first", tmp_path / "again")
    parents = {row["id"]: row for row in accepted}
    assert {row["parents"][0] for row in again} <= set(parents)
    assert all(row["prompt"] == parents[row["parents"][0]]["prompt"] for row in again)


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match=r"--temperature 0.0: must be above 0 for several samples"):
        RespondSettings("x", samples=2, temperature=0.0)
    with pytest.raises(UserError, match=r"--samples 0: must be at least 1"):
        RespondSettings("x", samples=0)


def test_systems_where_there_are_none(source, tmp_path):
    with pytest.raises(UserError, match=r"--systems: there are no system prompts for micro"):
        run_respond(RespondSettings(str(source), systems=True, out=tmp_path / "run"))
