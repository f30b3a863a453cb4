"""A run directory: killed and resumed, refused when it is another's, counted to the last row."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.errors import UserError
from datagen.run import OpenRun
from datagen.run.folder import differences
from datagen.schema import Accepted
from datagen.teacher import Capabilities, Request, connect
from tests.datagen.configs import config_of
from tests.datagen.endpoint import Endpoint, Served

QUESTIONS = 60


@pytest.fixture
def questions(tmp_path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows = [
        {"question": f"What is {i} plus {i % 7}?", "answer": str(i + i % 7)}
        for i in range(QUESTIONS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Endpoint()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


def command(questions: Path, out: Path, *more: str) -> list[str]:
    base = [
        "rationales",
        str(questions),
        "--teacher",
        "openai:arith",
        "--out",
        str(out),
        "--samples",
        "3",
    ]
    return [*base, *more]


def test_every_chain_ends_accepted_or_rejected_and_the_counts_add_up(questions, endpoint, tmp_path):
    assert main(command(questions, tmp_path / "run")) == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    tables = {
        c: pq.read_table(tmp_path / "run" / f"{c}.parquet")
        for c in ("rationales", "answers", "rejected")
    }
    assert stats["questions"] == QUESTIONS
    assert (
        stats["answers"]
        == 3 * QUESTIONS
        == tables["rationales"].num_rows + tables["rejected"].num_rows
    )
    assert stats["accepted"] == {c: tables[c].num_rows for c in ("answers", "rationales")}
    assert sum(stats["rejected"].values()) == tables["rejected"].num_rows
    assert sum(stats["agreement"]["histogram"]) == QUESTIONS
    assert not (tmp_path / "run" / "rationales.partial").exists()


def answers_of(url: str) -> tuple[int, int]:
    """Return the answers that the server sent so far, and those among them it had sent before."""
    try:
        with urllib.request.urlopen(f"{url}/stats") as reply:
            stats = json.load(reply)
    except urllib.error.URLError:  # the server is starting
        return 0, 0
    return stats["answered"], stats["answered_again"]


def test_killed_at_any_moment_and_resumed_it_asks_nothing_twice_and_ends_with_the_same_bytes(
    questions, tmp_path
):
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.datagen.endpoint", "--port", "8917", "--latency", "0.1"]
    )
    url = "http://127.0.0.1:8917"
    env = os.environ | {"OPENAI_API_KEY": "test-key", "OPENAI_BASE_URL": f"{url}/v1"}
    in_flight = 8

    def start(out: Path) -> subprocess.Popen[bytes]:
        words = command(questions, out, "--concurrency", str(in_flight))
        return subprocess.Popen(
            [sys.executable, "-m", "datagen.cli", *words], env=env, stdout=subprocess.DEVNULL
        )

    try:
        kills = 0
        for more in (1, 3, 9, 10):
            answered, _ = answers_of(url)
            process = start(tmp_path / "killed")
            while answers_of(url)[0] < answered + more and process.poll() is None:
                time.sleep(0.003)
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert kills >= 2, "the runs ended before they were killed"
        assert start(tmp_path / "killed").wait() == 0
        # Lost is what was on its way when the process died, and what had come within the few
        # milliseconds before that: those answers share a commit, and new requests take their place.
        assert answers_of(url)[1] <= kills * 2 * in_flight
        assert start(tmp_path / "whole").wait() == 0
    finally:
        server.kill()
        server.wait()
    for config in ("rationales", "answers", "rejected"):
        file = f"{config}.parquet"
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_concurrency_changes_no_byte(questions, endpoint, tmp_path):
    for name, concurrency in (("one", "1"), ("many", "64")):
        assert main(command(questions, tmp_path / name, "--concurrency", concurrency)) == 0
    for config in ("rationales", "answers", "rejected"):
        assert (tmp_path / "one" / f"{config}.parquet").read_bytes() == (
            tmp_path / "many" / f"{config}.parquet"
        ).read_bytes()


def test_a_failed_request_costs_one_question_and_the_next_run_asks_only_for_it(
    questions, tmp_path, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Endpoint(faults=["", "400", "", "400"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main(command(questions, tmp_path / "run", "--concurrency", "1")) == 0
        stats = json.loads((tmp_path / "run" / "stats.json").read_text())
        assert stats["rejected"]["failed"] == 2
        before = len(endpoint.bodies)
        assert main(command(questions, tmp_path / "run", "--concurrency", "1")) == 0
        assert len(endpoint.bodies) - before == 2
        stats = json.loads((tmp_path / "run" / "stats.json").read_text())
        assert "failed" not in stats["rejected"]
        assert stats["answers"] == 3 * QUESTIONS


def test_an_endpoint_that_fails_every_request_ends_the_run(
    questions, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    with Served(Endpoint(faults=["400"] * QUESTIONS)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main(command(questions, tmp_path / "run")) == 2
    assert "all of the first" in capsys.readouterr().err


def test_a_run_that_keeps_nothing_is_an_error_with_the_counts(endpoint, tmp_path, capsys):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "Why?", "answer": "7"}\n')
    assert main(command(path, tmp_path / "run")) == 2
    assert "nothing was accepted of 1 items" in capsys.readouterr().err
    assert not (tmp_path / "run" / "stats.json").exists()


def test_another_configuration_is_refused_with_the_difference(
    questions, endpoint, tmp_path, capsys
):
    assert main(command(questions, tmp_path / "run")) == 0
    assert main(command(questions, tmp_path / "run", "--temperature", "0.9")) == 2
    assert "settings.temperature was 0.7, now 0.9" in capsys.readouterr().err
    questions.write_text(questions.read_text().replace("plus 3", "plus 2", 1))
    assert main(command(questions, tmp_path / "run")) == 2
    assert "source.sha256" in capsys.readouterr().err


def test_a_finished_run_asks_nothing_and_says_the_same(questions, endpoint, tmp_path, capsys):
    assert main(command(questions, tmp_path / "run")) == 0
    said, asked = capsys.readouterr().out, len(endpoint.bodies)
    assert main(command(questions, tmp_path / "run")) == 0
    assert capsys.readouterr().out == said
    assert len(endpoint.bodies) == asked


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(UserError, match="is no run folder and not empty"):
        OpenRun(tmp_path, config_of("m"))
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_two_processes_cannot_work_in_one_run(tmp_path):
    with (
        OpenRun(tmp_path / "run", config_of("m")),
        pytest.raises(UserError, match="another process is working"),
    ):
        OpenRun(tmp_path / "run", config_of("m"))


def test_an_interrupted_run_cancels_what_is_in_flight(tmp_path):
    """An error in one item ends the others before it is raised."""
    ended = []

    async def distil(item, teacher):
        try:
            if item == 3:
                await asyncio.sleep(0.01)
                raise UserError("the key was revoked")
            await asyncio.sleep(60)
        finally:
            ended.append(item)

    class Silent:
        name = "silent"
        capabilities = Capabilities()

        async def identify(self):
            return self.name

        async def open(self):
            pass

        async def close(self):
            pass

    async def go():
        with OpenRun(tmp_path / "run", config_of("m")) as run:
            await run.each(
                range(5), distil, teacher=Silent(), describe=dict, statistics=dict, concurrency=5
            )

    with pytest.raises(UserError, match="revoked"):
        asyncio.run(go())
    assert sorted(ended) == [0, 1, 2, 3, 4]


def test_differences_name_every_leaf():
    before, now = (
        {"a": 1, "s": {"x": [1], "y": 2}},
        {"a": 1, "s": {"x": [1, 2], "z": None, "y": 2}, "new": True},
    )
    assert differences(before, now) == ["s.x was [1], now [1, 2]", "new was null, now true"]


def counted(journal, *, until: int):
    """Each question is the sum of the answers so far: what is asked depends on all that was
    answered."""

    async def generate(teacher):
        total = 1
        for place in range(until):
            answer = (
                await teacher.complete(Request((("user", f"What is {total} plus {place}?"),), n=1))
            )[0]
            journal.append(total)
            found = re.findall(r"\d+", answer.text)
            total = int(found[-1]) % 97 if found else total + 1
            yield [Accepted({"id": f"{place}", "instruction": answer.text}, "instructions")]

    return generate


def test_a_stream_is_resumed_from_its_answers_and_ends_with_the_same_bytes(endpoint, tmp_path):
    def run(folder: Path, until: int, *, stop: int | None = None) -> list[int]:
        asked: list[int] = []

        async def generate(teacher):
            async for outcomes in counted(asked, until=until)(teacher):
                yield outcomes
                if stop is not None and len(asked) >= stop:
                    raise KeyboardInterrupt

        with OpenRun(folder, config_of("count"), family="instructions") as it:
            work = it.stream(
                generate, teacher=connect("openai:arith"), total=until, statistics=lambda rows: {}
            )
            if stop is None:
                asyncio.run(work)
            else:
                with pytest.raises(KeyboardInterrupt):
                    asyncio.run(work)
        return asked

    run(tmp_path / "killed", 30, stop=11)
    before = len(endpoint.bodies)
    run(tmp_path / "killed", 30)
    assert len(endpoint.bodies) - before == 30 - 11
    run(tmp_path / "whole", 30)
    files = [
        (tmp_path / name / "instructions.parquet").read_bytes() for name in ("killed", "whole")
    ]
    assert files[0] == files[1]
    assert pq.read_table(tmp_path / "whole" / "instructions.parquet").num_rows == 30
