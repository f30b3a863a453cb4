"""Evolutions by a scripted teacher over a socket: lineage, elimination in the loop, the same bytes
in any order."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.errors import UserError
from datagen.instructions.evol_instruct.command import (
    EvolSettings,
    evolution_of,
    run_evol_instruct,
)
from datagen.instructions.evol_instruct.generate import draw_operation, evolve
from datagen.instructions.evol_instruct.settings import read_weights
from datagen.prompts.templates import Templates
from datagen.schema import Accepted
from datagen.sources.instructions import Prompt
from datagen.teacher import connect
from tests.datagen.endpoint import Served
from tests.datagen.instructions.evolving import OPERATIONS, Scripted, save_templates

SEEDS = 30


@pytest.fixture
def seeds(tmp_path) -> Path:
    path = tmp_path / "seeds.jsonl"
    rows = [
        {"id": f"s{i}", "instruction": f"Describe number {i}.", "input": "x" * (i % 2)}
        for i in range(SEEDS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def templates(tmp_path) -> Path:
    return save_templates(tmp_path / "templates")


@pytest.fixture
def serve(monkeypatch):
    """Serve a scripted teacher for the rest of the test."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    open_servers = []

    def start(scripted):
        server = Served(scripted)
        monkeypatch.setenv("OPENAI_BASE_URL", server.__enter__())
        open_servers.append(server)
        return scripted

    yield start
    for server in open_servers:
        server.__exit__()


def run(seeds: Path, templates: Path, out: Path, **settings) -> dict[str, list[dict]]:
    run_evol_instruct(
        EvolSettings(str(seeds), teacher="openai:arith", templates=templates, out=out, **settings)
    )
    return {
        name: pq.read_table(out / f"{name}.parquet").to_pylist()
        for name in ("instructions", "rejected")
    }


def files(out: Path) -> list[bytes]:
    return [(out / f"{name}.parquet").read_bytes() for name in ("instructions", "rejected")]


def test_every_row_can_be_walked_back_to_its_seed(seeds, templates, serve, tmp_path):
    serve(Scripted())
    rows = run(seeds, templates, tmp_path / "run")
    kept = {row["id"]: row for row in rows["instructions"]}
    every = kept | {row["id"]: row for row in rows["rejected"]}
    assert (
        len(every) == len(rows["instructions"]) + len(rows["rejected"]) == SEEDS * 5
    )  # round 0 and four rounds
    assert Counter(row["round"] for row in every.values()) == dict.fromkeys(range(5), SEEDS)
    deepest = 0
    for row in every.values():
        steps = []
        while row["round"] > 0:
            (parent,) = (every[name] for name in row["parents"])
            assert (
                parent["id"] in kept or parent["round"] == 0
            )  # what was eliminated has no children
            text = parent["prompt"][0]["content"]
            steps.append(row["round"])
            if row["id"] in kept:
                assert row["instruction"].startswith(text)
                assert row["operation"] in row["instruction"][len(text) :]
            assert row["round"] > parent["round"]
            row = parent
        deepest = max(deepest, len(steps))
        assert row["operation"] is None
        assert row["parents"] == [row["root"]]
    assert deepest == 4
    assert {row["root"] for row in every.values()} == {f"s{i}" for i in range(SEEDS)}


def test_an_eliminated_evolution_leaves_its_parent_to_the_next_round(
    seeds, templates, serve, tmp_path
):
    serve(Scripted())
    rows = run(seeds, templates, tmp_path / "run")
    by_place = {(row["root"], row["round"]): row for row in rows["instructions"] + rows["rejected"]}
    dropped = [row for row in rows["rejected"] if 0 < row["round"] < 4]
    assert dropped
    for row in dropped:
        assert by_place[row["root"], row["round"] + 1]["parents"] == row["parents"]
    reasons = {row["reason"] for row in rows["rejected"]}
    wanted = {
        "no_gain",
        "refusal",
        "stopwords_only",
        "scaffolding",
        "truncated",
        "empty",
        "unparseable_judgement",
    }
    assert reasons == wanted
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    kept = Counter(row["operation"] for row in rows["instructions"] if row["operation"])
    assert {name: counts["kept"] for name, counts in stats["operations"].items()} == kept
    assert {name: counts["tried"] for name, counts in stats["rounds"].items()} == {
        str(n): SEEDS for n in range(5)
    }


def test_the_judgement_is_asked_only_of_what_the_free_rules_pass(seeds, templates, serve, tmp_path):
    endpoint = serve(Scripted())
    rows = run(seeds, templates, tmp_path / "run")
    asked = [body["messages"][-1]["content"] for body in endpoint.bodies]
    judged = [row for row in rows["instructions"] if row["round"] > 0]
    judged += [row for row in rows["rejected"] if row["detail"] == "judgement"]
    assert sum(text.startswith("SAME") for text in asked) == len(judged)
    unanswered = [row for row in rows["rejected"] if row["detail"] == "instruction"]
    assert unanswered
    assert all(row["completion"] == [] for row in unanswered)


def test_concurrency_and_delays_change_no_byte(seeds, templates, serve, tmp_path):
    serve(Scripted(delay=0.02))
    run(seeds, templates, tmp_path / "one", concurrency=1, limit=12)
    serve(Scripted(delay=0.02))
    run(seeds, templates, tmp_path / "many", concurrency=64, limit=12)
    assert files(tmp_path / "one") == files(tmp_path / "many")


def test_killed_in_the_middle_it_goes_on_and_asks_nothing_twice(seeds, templates, serve, tmp_path):
    endpoint = serve(Scripted(delay=0.02))
    words = (
        f"EvolSettings({str(seeds)!r}, teacher='openai:arith', templates=Path({str(templates)!r}), "
        "concurrency=4, "
    )
    words += f"out=Path({str(tmp_path / 'killed')!r}))"
    code = (
        "from pathlib import Path\nfrom datagen.instructions.evol_instruct.command import *\n"
        + f"run_evol_instruct({words})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ, stdout=subprocess.DEVNULL
    )
    while endpoint.answered.total() < 100:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "stats.json").exists()
    url = os.environ["OPENAI_BASE_URL"]
    run(seeds, templates, tmp_path / "killed", concurrency=4)
    again = sum(count - 1 for count in endpoint.answered.values())
    # 6 items are under way at 4 requests in flight: an answer may be on its way to the journal
    assert again <= 6
    assert os.environ["OPENAI_BASE_URL"] == url
    run(seeds, templates, tmp_path / "whole")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_request_that_fails_for_good_keeps_the_rounds_before_it_and_is_asked_again(
    seeds, templates, serve, tmp_path
):
    endpoint = serve(Scripted())
    endpoint.faults = [""] * 6 + ["400"]
    rows = run(seeds, templates, tmp_path / "run", limit=3, concurrency=1)
    (failed,) = [row for row in rows["rejected"] if row["reason"] == "failed"]
    assert "injected 400" in failed["finish_reason"]
    assert len(run(seeds, templates, tmp_path / "run", limit=3)["rejected"]) > 0
    run(seeds, templates, tmp_path / "whole", limit=3)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_a_retry_of_the_same_operation_is_another_sample(templates, serve):
    endpoint = serve(Scripted())
    how = evolution_of(
        EvolSettings("x", templates=templates, teacher="openai:arith", weights=only("deepen"))
    )

    async def go(seed):
        teacher = connect("openai:arith")
        try:
            return await evolve(seed, teacher, evolution=how)
        finally:
            await teacher.close()

    outcomes = [asyncio.run(go(Prompt(f"s{i}", f"Seed {i}", f"Seed {i}"))) for i in range(12)]
    rewritten = [b for b in endpoint.bodies if b["messages"][-1]["content"].startswith("EVOLVE")]
    keys = Counter((b["messages"][-1]["content"], b["seed"]) for b in rewritten)
    assert any(not isinstance(o, Accepted) for chain in outcomes for o in chain)
    assert set(keys.values()) == {1}


def only(name: str) -> str:
    return ",".join(f"{other}={int(other == name)}" for other in OPERATIONS)


def test_without_the_seeds_evolutions_name_the_seed_as_parent(seeds, templates, serve, tmp_path):
    serve(Scripted())
    rows = run(seeds, templates, tmp_path / "run", keep_seeds=False, rounds=2)
    every = rows["instructions"] + rows["rejected"]
    assert {row["round"] for row in every} == {1, 2}
    assert all(row["parents"] == [row["root"]] for row in every if row["round"] == 1)


def test_a_seed_with_an_input_is_evolved_whole(seeds, templates, serve, tmp_path):
    endpoint = serve(Scripted())
    rows = run(seeds, templates, tmp_path / "run", rounds=1)
    (row,) = [
        r for r in rows["instructions"] + rows["rejected"] if r["root"] == "s1" and r["round"] == 0
    ]
    assert (row["instruction"], row["input"]) == ("Describe number 1.", "x")
    assert row["prompt"][0]["content"] == "Describe number 1. | x"
    assert any(
        b["messages"][-1]["content"].endswith("\nDescribe number 1. | x") for b in endpoint.bodies
    )


def test_operations_are_drawn_by_weight_and_a_new_file_is_a_new_operation(templates):
    (templates / "evolve" / "mine.txt").write_text("EVOLVE mine\n{instruction}")
    weights = "mine=3," + ",".join(f"{name}=0" for name in OPERATIONS if name != "deepen")
    how = evolution_of(
        EvolSettings("x", templates=templates, teacher="openai:arith", weights=weights, seed=5)
    )
    drawn = Counter(draw_operation(Prompt(str(i), "", ""), 1, how) for i in range(4000))
    assert set(drawn) == {"mine", "deepen"}
    assert abs(drawn["mine"] / 4000 - 0.75) < 4 * (0.75 * 0.25 / 4000) ** 0.5
    assert draw_operation(Prompt("7", "", ""), 2, how) == draw_operation(
        Prompt("7", "", ""), 2, how
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("harder=1", r"--weights harder=1: no operation 'harder'; there are breadth, "),
        ("deepen", r"--weights deepen: give OPERATION=NUMBER"),
        ("deepen=-1", r"give OPERATION=NUMBER, with a number of 0 or more"),
        ("deepen=nan", r"give OPERATION=NUMBER"),
        (",".join(f"{name}=0" for name in OPERATIONS), r"at least one operation"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(UserError, match=message):
        read_weights(weights, Templates("en"))


@pytest.mark.parametrize(
    ("flag", "value"), [("rounds", 0), ("top_p", 0), ("temperature", -1), ("concurrency", 0)]
)
def test_settings_out_of_range_are_refused(flag, value):
    with pytest.raises(UserError, match=f"--{flag} {value}: must be"):
        EvolSettings("x", **{flag: value})


def test_shuffled_seeds_give_each_seed_the_same_evolutions(seeds, templates, serve, tmp_path):
    serve(Scripted())
    lines = seeds.read_text().splitlines(keepends=True)
    run(seeds, templates, tmp_path / "run")
    random.Random(1).shuffle(lines)
    seeds.write_text("".join(lines))
    run(seeds, templates, tmp_path / "shuffled")
    tables = [
        pq.read_table(tmp_path / name / "instructions.parquet").to_pylist()
        for name in ("run", "shuffled")
    ]
    first, second = (sorted(rows, key=lambda row: (row["root"], row["round"])) for rows in tables)
    assert first == second
