"""Queries to episodes, with a teacher over HTTP that reads its demonstrations, and a small model
that runs here."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from datagen.answers.matching import matches
from datagen.demonstrations.command import run_demonstrations
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.errors import UserError
from datagen.schema import arrow_schema
from tests.datagen.demonstrations.reading import Reading, label_by_reading, parse, write_tasks
from tests.datagen.endpoint import Served


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run over three tasks with a reading teacher; (accepted rows, rejected rows, statistics, the
    endpoint)."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Reading()

    def run(name="run", **settings):
        endpoint.bodies.clear()
        out = tmp_path / name
        values = {"teacher": "openai:arith", "format": "arrow", "queries": 6, **settings}
        run_demonstrations(DemonstrationSettings(str(write_tasks(tmp_path)), out=out, **values))
        accepted, rejected = (
            pq.read_table(out / f"{c}.parquet").to_pylist() for c in ("demonstrations", "rejected")
        )
        return accepted, rejected, json.loads((out / "stats.json").read_text()), endpoint

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield run


def asked(endpoint):
    return [body["messages"][-1]["content"] for body in endpoint.bodies]


def test_meta_ict_shows_the_demonstrations_and_completes_with_the_gold(run, tmp_path):
    rows, rejected, stats, endpoint = run(shots="0,1,4")
    assert (len(rows), rejected) == (12, [])  # six queries of two tasks, the third is held out
    assert Counter(row["k"] for row in rows) == {0: 4, 1: 4, 4: 4}
    assert sorted(row["prompt"][0]["content"] for row in rows) == sorted(asked(endpoint))
    for row in rows:
        pairs, query = parse(row["prompt"][0]["content"])
        assert pairs == [(d["input"], d["output"]) for d in row["demonstrations"]]
        assert (query, len(pairs)) == (row["query"], row["k"])
        assert row["completion"] == [
            {"role": "assistant", "content": "even" if int(query) % 2 == 0 else "odd"}
        ]
        assert row["prediction"] == label_by_reading(row["prompt"][0]["content"])
        assert row["correct"] == (row["prediction"] == row["target"])
        assert query not in {x for x, _ in pairs}
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    [held] = config["source"]["held_out"]
    assert {row["task"] for row in rows} == {"parity/red", "parity/blue", "parity/green"} - {held}
    for k in (0, 1, 4):
        right = [row["correct"] for row in rows if row["k"] == k]
        assert stats["accuracy"][str(k)] == {"accuracy": sum(right) / 4, "episodes": 4}
    assert pq.read_schema(tmp_path / "run" / "demonstrations.parquet").equals(
        arrow_schema("demonstrations")
    )


def test_meta_ict_is_tested_on_other_tasks(run):
    train, *_ = run(shots="2")
    test, *_ = run("test", shots="2", split="test")
    assert not {row["task"] for row in train} & {row["task"] for row in test}


def test_other_kinds_are_tested_on_other_queries_of_the_same_tasks(run):
    parts = [
        {(row["task"], row["query"]) for row in rows + rejected}
        for split in ("train", "test")
        for rows, rejected, *_ in [run(split, kind="multitask-ict", shots="8", split=split)]
    ]
    assert len(parts[0]) == len(parts[1]) == 18
    assert not parts[0] & parts[1]


def test_every_query_gets_every_number_of_demonstrations(run):
    rows, *_ = run(shots="1,2,4", episodes=3)
    assert len(rows) == 3 * 12
    for query in {(row["task"], row["query"]) for row in rows}:
        assert sorted(row["k"] for row in rows if (row["task"], row["query"]) == query) == [1, 2, 4]


def test_numbers_from_0_to_16_are_mixed_by_default(run):
    rows, *_ = run(queries=9)
    mixed = Counter(row["k"] for row in rows)
    assert sorted(mixed) == [0, 1, 2, 4, 8, 16]
    assert (
        max(mixed.values()) - min(mixed.values()) <= 2
    )  # each of the two tasks begins with another number


def test_context_distillation_hides_the_demonstrations_from_the_student(run):
    rows, _, _, endpoint = run(kind="context-distillation", shots="8")
    assert len(rows) == 18
    assert all(
        len(parse(prompt)[0]) == 8 and "Say even" not in prompt for prompt in asked(endpoint)
    )
    for row in rows:
        way = row["task"].removeprefix("parity/")
        assert row["prompt"] == [
            {"role": "user", "content": f"Say even or odd, {way} way.\n{row['query']} ->"}
        ]
        assert row["completion"][0]["content"] == row["prediction"]
        assert len(row["demonstrations"]) == 8
    assert sorted(row["teacher_prompt"][0]["content"] for row in rows) == sorted(asked(endpoint))
    bare, *_ = run("bare", kind="context-distillation", shots="8", describe="never")
    assert {row["prompt"][0]["content"] for row in bare} == {f"{row['query']} ->" for row in bare}


def test_with_gold_only_right_predictions_teach(run):
    rows, rejected, _, _ = run(kind="context-distillation", shots="1", keep_by="gold")
    unfiltered, none, _, _ = run("all", kind="context-distillation", shots="1")
    assert none == []
    assert {row["id"] for row in rows} == {row["id"] for row in unfiltered if row["correct"]}
    assert (
        {row["id"] for row in rejected}
        == {row["id"] for row in unfiltered if not row["correct"]}
        != set()
    )
    assert {row["reason"] for row in rejected} == {"wrong"}


def test_multitask_ict_completes_with_the_vote_over_subsets(run):
    rows, rejected, _, endpoint = run(kind="multitask-ict", shots="3", votes=3, tasks="red")
    by_query = {}
    for prompt in asked(endpoint):
        by_query.setdefault(parse(prompt)[1], []).append(prompt)
    for row in rows + rejected:
        prompts = by_query[row["query"]]
        assert len(prompts) == len(set(prompts)) == 3
        assert row["prompt"][0]["content"] in prompts
        [(winner, votes), *others] = Counter(map(label_by_reading, prompts)).most_common()
        if row.get("reason") == "tied":
            assert others[0][1] == votes
        else:
            assert row["completion"][0]["content"] == row["prediction"] == winner
    assert len(rows) >= 3


@pytest.mark.parametrize("labels", ["symbolic", "flipped"])
def test_relabelled_episodes_are_solved_by_reading_alone(run, labels):
    rows, *_ = run(labels=labels, shots="0,8")
    for row in rows:
        if row["k"] == 0:
            assert row["target"] in ("even", "odd")  # nothing could say what another label means
            continue
        natural = {
            d["input"]: "even" if int(d["input"]) % 2 == 0 else "odd" for d in row["demonstrations"]
        }
        assert all(d["output"] != natural[d["input"]] for d in row["demonstrations"])
        assert (row["target"] in ("even", "odd")) == (labels == "flipped")
        assert row["target"] != ("even" if int(row["query"]) % 2 == 0 else "odd")
        assert row["correct"]
        assert row["completion"][0]["content"] == row["target"]


def test_balance_shows_every_label_equally_often(run):
    rows, *_ = run(shots="8", balance=True)
    assert {
        tuple(sorted(Counter(d["output"] for d in row["demonstrations"]).values())) for row in rows
    } == {(4, 4)}


def test_the_candidates_that_were_considered_keep_their_scores(run):
    rows, *_ = run(shots="2", strategy="knn", considered=5)
    for row in rows:
        scores = {c["id"]: c["score"] for c in row["candidates"]}
        assert len(scores) == 5
        shown = [d["score"] for d in row["demonstrations"]]
        assert shown == sorted(scores.values())[-2:]  # the nearest stands next to the query
        assert [scores[d["id"]] for d in row["demonstrations"]] == shown


def test_the_demonstrations_farthest_from_the_query_go_when_the_budget_is_short(run):
    whole, *_ = run(shots="8")
    short, _, stats, _ = run("short", shots="8", prompt_tokens=12)
    for before, after in zip(whole, short, strict=True):
        text = after["prompt"][0]["content"]
        assert after["k"] == len(parse(text)[0]) < 8
        assert before["prompt"][0]["content"].endswith(text)
        assert -(-len(text) // 4) <= 12
        longer = before["prompt"][0]["content"].split("\n")[-after["k"] - 2 :]
        assert -(-len("\n".join(longer)) // 4) > 12
    assert stats["shown"] == round(sum(row["k"] for row in short) / len(short), 2)


def test_a_query_that_fits_with_no_demonstration_is_rejected_and_told(run):
    rows, rejected, stats, endpoint = run(shots="0,4", prompt_tokens=2)
    assert {row["k"] for row in rows} == {0}
    assert stats["rejected"] == {"does_not_fit": len(rejected)}
    assert len(rejected) == len(rows) == len(endpoint.bodies)
    assert "with 1 demonstrations: the prompt has about" in rejected[0]["finish_reason"]
    assert set(stats["accuracy"]) == {"0"}
    with pytest.raises(UserError, match=r"nothing was accepted .*does_not_fit 12"):
        run("none", shots="4", prompt_tokens=2)


def test_plain_text_for_base_models_stops_at_the_next_demonstration(run):
    rows, _, _, endpoint = run(shots="8", prompt_style="plain")
    assert all(body["stop"] == ["\n"] for body in endpoint.bodies)
    assert sorted(body["prompt"] for body in endpoint.bodies) == sorted(
        row["prompt"][0]["content"] for row in rows
    )
    assert {row["prediction"] for row in rows} <= {"even", "odd"}


def test_the_same_command_goes_on_and_asks_nothing_again(run, tmp_path):
    first, *_ = run(shots="2", episodes=2)
    again, _, _, endpoint = run(shots="2", episodes=2)
    assert again == first
    assert endpoint.bodies == []
    run("other", shots="2", episodes=2, concurrency=1)
    files = [(tmp_path / name / "demonstrations.parquet").read_bytes() for name in ("run", "other")]
    assert files[0] == files[1]
    other_seed, *_ = run("seed", shots="2", episodes=2, seed=1)
    assert {row["query"] for row in other_seed} == {row["query"] for row in first}
    assert [row["demonstrations"] for row in other_seed] != [row["demonstrations"] for row in first]


def test_the_context_of_a_model_that_runs_here_is_kept(tmp_path, tiny_model):
    """Its context has 128 bytes; the chat template takes a token for each turn's ends."""
    source = write_tasks(tmp_path)
    settings = DemonstrationSettings(
        str(source), out=tmp_path / "run", teacher=f"hf:{tiny_model}", format="arrow", queries=3, shots="16",
        max_tokens=4, held_out="blue,green",
    )  # fmt: skip
    run_demonstrations(settings)
    rows = pq.read_table(tmp_path / "run" / "demonstrations.parquet").to_pylist()
    assert len(rows) == 3
    for row in rows:
        text = row["prompt"][0]["content"]
        assert 1 <= row["k"] < 16
        assert len(text) + 3 < 128 <= len(text) + 3 + len("10 -> even\n")


def test_when_a_prediction_is_the_target():
    assert matches("7.0", "7")
    assert matches("B", "(B)")
    assert matches("Yes.", "yes")
    assert not matches("7 apples", "7")
    assert not matches("(C)", "(B)")
    assert not matches(None, "")
