"""The loop: what a call shows, what comes back to the pool, order and bytes, kills, and how it
ends."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import datagen
from datagen.errors import UserError
from datagen.instructions.overlap import overlap
from datagen.instructions.self_instruct.command import run_self_instruct
from datagen.instructions.self_instruct.settings import SelfInstructSettings
from tests.datagen.endpoint import Served
from tests.datagen.instructions.writer import Writer, write_templates

SEEDS = [
    "Suggest a gift for a beekeeper who has everything.",
    "Convert the recipe from cups to grams.",
    "Why does bread rise when it is left alone?",
    "Rewrite this apology so that it sounds sincere.",
    "Which of these four planets is largest?",
    "Plan a week of cheap lunches without meat.",
    "Give three arguments against school uniforms.",
    "Is the following review angry or pleased?",
    "Invent a proverb about patience and snails.",
    "Correct the grammar mistakes in my letter.",
]


@pytest.fixture
def seeds(tmp_path) -> Path:
    path = tmp_path / "seeds.jsonl"
    rows = [
        {
            "id": f"s{i}",
            "instruction": text,
            "instances": [{"input": "", "output": "x"}],
            "is_classification": i == 7,
        }
        for i, text in enumerate(SEEDS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def served(monkeypatch):
    """Puts a writer behind OPENAI_BASE_URL."""
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    running = []

    def start(writer: Writer) -> Writer:
        running.append(Served(writer))
        monkeypatch.setenv("OPENAI_BASE_URL", running[-1].__enter__())
        return writer

    yield start
    for server in running:
        server.__exit__()


def settings(seeds: Path, out: Path, **more) -> SelfInstructSettings:
    templates = write_templates(seeds.parent / "templates")
    words = {
        "teacher": "openai:arith",
        "language": "en",
        "target": 40,
        "style": "base",
        "lag": 8,
        **more,
    }
    return SelfInstructSettings(seeds=seeds, out=out, templates=templates, **words)


def rows(out: Path, config: str) -> list[dict]:
    return pq.read_table(out / f"{config}.parquet").to_pylist()


def same_files(one: Path, other: Path) -> bool:
    names = ("instructions.parquet", "rejected.parquet")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.mark.parametrize("style", ["base", "chat"])
def test_concurrency_and_delays_change_no_byte(seeds, served, tmp_path, style):
    served(Writer(wait=0.02))
    for name, concurrency in (("one", 1), ("many", 64)):
        run_self_instruct(settings(seeds, tmp_path / name, style=style, concurrency=concurrency))
    assert same_files(tmp_path / "one", tmp_path / "many")
    assert len({row["instruction"] for row in rows(tmp_path / "one", "instructions")}) > 15


def test_a_pool_is_left_behind_and_an_earlier_one_counts(seeds, served, tmp_path):
    served(Writer())
    run_self_instruct(settings(seeds, tmp_path / "first"))
    accepted = [row["instruction"] for row in rows(tmp_path / "first", "instructions")]
    _, *pool = [
        json.loads(line) for line in (tmp_path / "first" / "novelty.jsonl").read_text().splitlines()
    ]
    assert [entry["text"] for entry in pool[: len(SEEDS)]] == SEEDS
    assert set(accepted) <= {entry["text"] for entry in pool[len(SEEDS) :]}
    assert len(pool) == len(SEEDS) + 40
    run_self_instruct(settings(seeds, tmp_path / "second", pool=tmp_path / "first"))
    assert not set(accepted) & {
        row["instruction"] for row in rows(tmp_path / "second", "instructions")
    }
    with pytest.raises(UserError, match=r"novelty.jsonl is no saved novelty pool"):
        run_self_instruct(settings(seeds, tmp_path / "third", pool=tmp_path / "nowhere"))


def test_another_seed_gives_other_instructions(seeds, served, tmp_path):
    served(Writer())
    for seed in (0, 1):
        run_self_instruct(settings(seeds, tmp_path / str(seed), seed=seed))
    first, second = (
        {row["instruction"] for row in rows(tmp_path / str(seed), "instructions")}
        for seed in (0, 1)
    )
    assert len(first & second) < len(first) / 2


def test_a_prompt_shows_six_seeds_and_two_of_the_pool_as_it_stood_lag_calls_before(
    seeds, served, tmp_path
):
    """The pool is rebuilt here from the answers' instructions in order, and from the rows that were
    accepted."""
    writer = served(Writer())
    run_self_instruct(settings(seeds, tmp_path / "run", concurrency=1, lag=3, target=60))
    prompts = [
        body["prompt"] for body in writer.bodies if body["prompt"].startswith("Varied tasks")
    ]
    everything = rows(tmp_path / "run", "instructions") + rows(tmp_path / "run", "rejected")
    unsound = {"too_short", "blocked_word", "similar"}
    accepted = {
        row["instruction"]
        for row in everything
        if row["instruction"] and row.get("reason") not in unsound
    }
    pools: list[set[str]] = []
    machine = 0
    for number, prompt in enumerate(prompts):
        shown = re.findall(r"^\d+\. (.+)$", prompt, re.MULTILINE)
        mine = [text for text in shown if text not in SEEDS]
        assert len(shown) == len(set(shown)) == 8
        known = pools[number - 3] if number >= 3 else set()
        assert set(mine) <= known
        assert len(mine) == min(2, len(known))
        machine += len(mine)
        body = next(b for b in writer.bodies if b["prompt"] == prompt)
        reply = writer.reply(body, "")["choices"][0]
        said = (
            re.findall(r"(?:^|\d+\.) ([A-Z][^\n]+)", reply["text"])
            if reply["finish_reason"] == "stop"
            else []
        )
        pools.append((pools[-1] if pools else set()) | (set(said) & accepted))
    assert machine > 10
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    assert stats["calls"] == len(prompts)
    assert all(
        body["stop"] == ["\n16."]
        for body in writer.bodies
        if body["prompt"].startswith("Varied tasks")
    )


def test_every_proposal_ends_in_a_row_and_the_figures_add_up(seeds, served, tmp_path):
    served(Writer())
    run_self_instruct(settings(seeds, tmp_path / "run", target=60))
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    kept, dropped = rows(tmp_path / "run", "instructions"), rows(tmp_path / "run", "rejected")
    assert stats["ended"] == "target"
    assert stats["instructions"]["accepted"] == 60
    assert stats["accepted"] == {"instructions": len(kept)}
    assert stats["instructions"]["with_rows"] == len({row["instruction"] for row in kept})
    reasons = {row["reason"] for row in dropped}
    assert reasons >= {
        "similar",
        "too_short",
        "blocked_word",
        "truncated",
        "input_equals_output",
        "empty_output",
    }
    assert reasons >= {"conflicting_outputs", "trailing_colon", "unparseable", "duplicate_instance"}
    assert all(
        row["nearest_similarity"] > 0.7 and row["detail"]
        for row in dropped
        if row["reason"] == "similar"
    )
    assert all(row["nearest_similarity"] <= 0.7 and row["id"] for row in kept)
    assert len({row["id"] for row in kept}) == len(kept)
    labelled = [row for row in kept if row["is_classification"]]
    assert labelled
    assert {(row["input"], row["output"]) for row in labelled} == {
        ("a castle", "old"),
        ("a tower block", "new"),
    }
    for row in kept:
        asked = f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]
        assert row["prompt"] == [{"role": "user", "content": asked}]
        assert row["completion"] == [{"role": "assistant", "content": row["output"]}]


def test_killed_and_resumed_it_asks_nothing_twice_and_ends_with_the_same_bytes(
    seeds, served, tmp_path
):
    writer = served(Writer(wait=0.05))
    code = (
        "import sys, pathlib\n"
        "from datagen.instructions.self_instruct.command import run_self_instruct as run\n"
        "from datagen.instructions.self_instruct.settings import SelfInstructSettings as Settings\n"
        "seeds, out, templates = map(pathlib.Path, sys.argv[1:])\n"
        "run(Settings(seeds=seeds, out=out, templates=templates, teacher='openai:arith', "
        "language='en', target=30,"
        " style='base', lag=8, concurrency=8))\n"
    )
    out, templates = tmp_path / "killed", write_templates(tmp_path / "templates")

    def start() -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", code, str(seeds), str(out), str(templates)]
        return subprocess.Popen(words, env=os.environ.copy(), stdout=subprocess.DEVNULL)

    kills = 0
    for answered in (12, 40):
        process = start()
        while process.poll() is None and len(writer.bodies) < answered:
            time.sleep(0.01)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert kills == 2
    assert start().wait() == 0
    again = sum(count - 1 for count in writer.answered.values())
    assert again <= kills * 8  # what was on its way when the process died
    run_self_instruct(settings(seeds, tmp_path / "whole", target=30, concurrency=8))
    assert same_files(out, tmp_path / "whole")


def test_chinese_is_compared_and_measured_by_characters(seeds, served, tmp_path):
    said = [
        "请把下面的句子翻译成英文，并说明语气。",
        "请把下面的句子翻译成英文，并说明语体。",  # one character of nineteen differs
        "给外婆写一封五十字以内的信。",
        "讲笑话",  # three characters
        "请描述这张图片里的天气和人物。",
        "😀😀😀😀😀😀😀",  # no letter to compare
    ]

    class Chinese(Writer):
        def tasks(self, prompt, rng, base):
            return "".join(f"{number}. {text}\n" for number, text in enumerate(said, 1))

    texts = ["写一首关于秋天的短诗", "列出三种早餐", "判断这条评论是好评还是差评", "解释为什么天是蓝的",
             "计划一次周末旅行", "把分数改成小数", "给新店起个名字", "概括这段新闻的要点"]  # fmt: skip
    rows_of_seeds = [
        {"id": t, "instruction": t, "instances": [], "is_classification": False} for t in texts
    ]
    seeds.write_text("".join(json.dumps(row) + "\n" for row in rows_of_seeds))
    served(Chinese())
    asked = settings(seeds, tmp_path / "run", language="zh", style="chat", patience=3, target=9)
    (asked.templates / "words" / "blocked.txt").write_text("图片\n")
    with pytest.raises(UserError, match="at 2 of 9"):
        run_self_instruct(asked)
    dropped = {row["instruction"]: row for row in rows(tmp_path / "run", "rejected")[:6]}
    similar = dropped[said[1]]
    assert (similar["reason"], similar["nearest_similarity"]) == ("similar", pytest.approx(16 / 17))
    assert dropped["讲笑话"]["reason"] == "too_short"
    assert dropped[said[4]]["reason"] == "blocked_word"
    assert dropped[said[5]]["reason"] == "untokenisable"


def test_lost_and_empty_answers_are_asked_again_and_change_nothing(seeds, served, tmp_path):
    served(Writer())
    run_self_instruct(settings(seeds, tmp_path / "whole", concurrency=4))
    served(Writer(faults=["empty", "drop", "", "429", "empty", "500", "", "broken"] * 2))
    run_self_instruct(settings(seeds, tmp_path / "faulty", concurrency=4))
    assert [r["instruction"] for r in rows(tmp_path / "whole", "instructions")] == [
        r["instruction"] for r in rows(tmp_path / "faulty", "instructions")
    ]


def test_a_target_out_of_reach_keeps_what_there_is_and_says_why(seeds, served, tmp_path):
    """A teacher that always says the same has nothing new after its first answer."""

    class Parrot(Writer):
        def tasks(self, prompt, rng, base):
            return " Name four rivers of the north.\n10. Praise a lamp that has never worked."

    served(Parrot())
    asked = settings(seeds, tmp_path / "run", patience=5, target=50)
    for _ in range(2):  # the second time nothing is asked, and the end is the same
        with pytest.raises(
            UserError, match=r"the last 5 calls gave no new instruction.* at 2 of 50"
        ):
            run_self_instruct(asked)
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    assert stats["ended"] == "patience"
    assert stats["instructions"]["accepted"] == 2
    assert (tmp_path / "run" / "instructions.parquet").exists()


def test_too_few_seeds_and_values_out_of_range_are_one_line(seeds, tmp_path):
    seeds.write_text("".join(line + "\n" for line in seeds.read_text().splitlines()[:3]))
    with pytest.raises(UserError, match=r"seeds.jsonl holds 3 tasks, a prompt needs 8"):
        run_self_instruct(settings(seeds, tmp_path / "run"))
    with pytest.raises(UserError, match="--machine 8: must be 0 or more, and below --in_context"):
        settings(seeds, tmp_path / "run", machine=8)


def test_overlap_keeps_order_draws_no_item_early_and_cancels_what_is_left():
    done, drawn, ended = 0, [], []

    async def items():
        for i in range(10):
            drawn.append((i, done))
            yield i

    async def work(i):
        try:
            await asyncio.sleep(0.02 if i % 2 == 0 else 0.0)
            return i
        finally:
            ended.append(i)

    async def go():
        nonlocal done
        results = []
        stream = overlap(items(), work, most=3)
        async for result in stream:
            results.append(result)
            done += 1
            if len(results) == 6:
                break
        await stream.aclose()
        return results

    assert asyncio.run(go()) == [0, 1, 2, 3, 4, 5]
    assert all(i - finished < 3 for i, finished in drawn)
    assert sorted(ended) == [i for i, _ in drawn]


def test_overlap_passes_on_what_goes_wrong_on_either_side():
    async def items(bad):
        yield 1
        if bad:
            raise UserError("no more")

    async def work(i):
        raise UserError("cannot") if i == 1 else AssertionError

    async def fine(i):
        return i

    async def all_of(stream):
        return [result async for result in stream]

    with pytest.raises(UserError, match="cannot"):
        asyncio.run(all_of(overlap(items(False), work, most=2)))
    with pytest.raises(UserError, match="no more"):
        asyncio.run(all_of(overlap(items(True), fine, most=2)))


@pytest.mark.parametrize("lag", [1, 2, 64])
def test_a_forecast_knows_the_calls_that_draw_from_the_seeds_alone(lag):
    found = datagen.forecast("self-instruct", target=20, lag=lag)
    assert "20 instructions wanted of micro" in str(found)
