"""The Batch API against a real server on loopback, through the OpenAI SDK: what is submitted, and
never twice."""

import asyncio
import json
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.errors import UserError
from datagen.teacher import Request, Sampling, TeacherError
from datagen.teacher.endpoint import batch, batch_client, batch_files
from datagen.teacher.endpoint.openai import OpenAITeacher
from datagen.teacher.endpoint.throttle import Patience
from tests.datagen.endpoint import Endpoint, Served
from tests.datagen.teacher.endpoint.batch_server import BatchEndpoint


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setattr(batch, "GATHER_S", 0.05)
    monkeypatch.setattr(batch, "FIRST_POLL_S", 0.02)
    monkeypatch.setattr(batch_client, "FIRST_RETRY_S", 0.02)


def question(i, n=2):
    return Request((("user", f"What is {i} plus {i % 7}?"),), n=n, sampling=Sampling(seed=3))


def complete(url, monkeypatch, requests, file, *, until=None):
    """All answers or errors; with `until`, only as far as a condition holds, then the teacher is
    closed."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)

    async def go():
        teacher = OpenAITeacher("arith", patience=Patience(down_s=5), batches=file)
        asking = asyncio.gather(*(teacher.complete(r) for r in requests), return_exceptions=True)
        try:
            if until is None:
                return await asking
            while not until():
                await asyncio.sleep(0.01)
            asking.cancel()
        finally:
            await teacher.close()

    return asyncio.run(go())


def texts(answers):
    return [[a.text for a in found] for found in answers]


def bodies(endpoint):
    return sorted(json.dumps(line["body"], sort_keys=True) for line in endpoint.asked)


def test_answers_are_those_of_the_normal_path_whatever_their_order(tmp_path, monkeypatch):
    requests = [question(i, n=1 + i % 3) for i in range(20)]
    plain, batched = Endpoint(), BatchEndpoint()
    with Served(plain) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)

        async def go():
            teacher = OpenAITeacher("arith")
            try:
                return await asyncio.gather(*(teacher.complete(r) for r in requests))
            finally:
                await teacher.close()

        expected = asyncio.run(go())
    with Served(batched) as url:
        assert texts(complete(url, monkeypatch, requests, tmp_path / "b.sqlite")) == texts(expected)
    assert len(batched.batches) == 1
    assert bodies(batched) == sorted(json.dumps(body, sort_keys=True) for body in plain.bodies)
    assert {line["url"] for line in batched.asked} == {"/v1/chat/completions"}


def test_text_and_messages_go_into_batches_of_their_own(tmp_path, monkeypatch):
    endpoint = BatchEndpoint()
    with Served(endpoint) as url:
        complete(
            url, monkeypatch, [question(1), Request("What is 3 plus 4?")], tmp_path / "b.sqlite"
        )
    assert {b["endpoint"] for b in endpoint.batches.values()} == {
        "/v1/chat/completions",
        "/v1/completions",
    }


@pytest.mark.parametrize("fault", ["500", "429", "null", "lost", "broken"])
def test_what_came_without_an_answer_is_asked_again_alone(tmp_path, monkeypatch, fault):
    endpoint = BatchEndpoint(faults=["", fault, ""])
    with Served(endpoint) as url:
        answers = complete(url, monkeypatch, [question(i) for i in range(5)], tmp_path / "b.sqlite")
    assert [len(found) for found in answers] == [2] * 5
    assert len(endpoint.batches) == 2
    assert len(endpoint.asked) == 6


def test_an_expired_batch_gives_what_it_has_and_the_rest_is_asked_again(tmp_path, monkeypatch):
    endpoint = BatchEndpoint(ends=["expired"])
    with Served(endpoint) as url:
        answers = complete(
            url, monkeypatch, [question(i) for i in range(10)], tmp_path / "b.sqlite"
        )
    assert [len(found) for found in answers] == [2] * 10
    assert len(endpoint.asked) == 15


def test_a_refused_request_fails_alone_and_is_asked_again_by_a_later_session(tmp_path, monkeypatch):
    endpoint, file = BatchEndpoint(faults=["", "400"]), tmp_path / "b.sqlite"
    with Served(endpoint) as url:
        answers = complete(url, monkeypatch, [question(i) for i in range(4)], file)
        assert [str(a) for a in answers if isinstance(a, TeacherError)] == ["400 injected 400"]
        answers = complete(url, monkeypatch, [question(i) for i in range(4)], file)
    assert [len(found) for found in answers] == [2] * 4
    assert len(endpoint.asked) == 5


def test_what_never_has_an_answer_fails_after_three_batches(tmp_path, monkeypatch):
    endpoint = BatchEndpoint(faults=["500"] * 3)
    with Served(endpoint) as url:
        (error,) = complete(url, monkeypatch, [question(1)], tmp_path / "b.sqlite")
    assert isinstance(error, TeacherError)
    assert "no answer in 3 batches, the last: 500 injected 500" in str(error)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_batch_that_somebody_ended_ends_the_run_and_a_later_one_asks_for_the_rest(
    tmp_path, monkeypatch, end
):
    endpoint, file, requests = (
        BatchEndpoint(ends=[end]),
        tmp_path / "b.sqlite",
        [question(i) for i in range(4)],
    )
    with Served(endpoint) as url:
        errors = [a for a in complete(url, monkeypatch, requests, file) if isinstance(a, Exception)]
        assert len(errors) == (4 if end == "failed" else 2)
        assert all(isinstance(error, UserError) and end in str(error) for error in errors)
        assert "line 1 is no request" in str(errors[0]) or end == "cancelled"
        answers = complete(url, monkeypatch, requests, file)
    assert [len(found) for found in answers] == [2] * 4
    assert len(endpoint.asked) == 4 + len(errors)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_submission_whose_reply_was_lost_is_made_once(tmp_path, monkeypatch, drop):
    endpoint = BatchEndpoint(drops=[drop])
    with Served(endpoint) as url:
        answers = complete(url, monkeypatch, [question(1), question(2)], tmp_path / "b.sqlite")
    assert [len(found) for found in answers] == [2, 2]
    assert len(endpoint.batches) == 1


def test_an_endpoint_that_is_away_for_a_while_is_waited_for(tmp_path, monkeypatch):
    endpoint = BatchEndpoint(polls=3)
    endpoint.down = 2
    with Served(endpoint) as url:
        assert len(complete(url, monkeypatch, [question(1)], tmp_path / "b.sqlite")[0]) == 2


def test_a_session_that_ends_leaves_its_batch_to_the_next(tmp_path, monkeypatch):
    endpoint, file, requests = (
        BatchEndpoint(polls=10**6),
        tmp_path / "b.sqlite",
        [question(i) for i in range(4)],
    )
    with Served(endpoint) as url:
        complete(url, monkeypatch, requests, file, until=lambda: endpoint.looks > 2)
        for made in endpoint.batches.values():
            made["polls"] = 1
        assert [len(found) for found in complete(url, monkeypatch, requests, file)] == [2] * 4
        assert len(endpoint.batches) == 1
        looks = endpoint.looks
        assert [len(found) for found in complete(url, monkeypatch, requests, file)] == [
            2
        ] * 4  # all from the file
    assert endpoint.looks == looks


def test_no_file_and_no_error_tells_the_key(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_LOG", "debug")
    endpoint = BatchEndpoint(faults=["echo"])
    with Served(endpoint) as url:
        (error,) = complete(url, monkeypatch, [question(1)], tmp_path / "b.sqlite")
    assert "bad credentials Bearer ***" in str(error)
    assert "test-key" not in capsys.readouterr().err
    assert all(b"test-key" not in file.read_bytes() for file in tmp_path.iterdir())


def test_an_endpoint_without_a_batch_api_is_said_to_have_none(tmp_path, monkeypatch):
    with Served(Endpoint()) as url:
        (error,) = complete(url, monkeypatch, [question(1)], tmp_path / "b.sqlite")
    assert isinstance(error, UserError)
    assert f"{url} refuses a batch: 404" in str(error)


def words(tmp_path, name, *more):
    (tmp_path / "q.jsonl").write_text(
        "".join(
            json.dumps({"question": f"What is {i} plus 2?", "answer": str(i + 2)}) + "\n"
            for i in range(30)
        )
    )
    base = ["rationales", str(tmp_path / "q.jsonl"), "--teacher", "openai:arith", "--samples", "3"]
    return [*base, "--out", str(tmp_path / name), *more]


def test_the_command_gives_the_same_rows_as_without(tmp_path, monkeypatch):
    endpoint = BatchEndpoint(faults=["", "500", "lost"], ends=["expired"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main(words(tmp_path, "batched", "--batch")) == 0
        assert not endpoint.bodies
        assert main(words(tmp_path, "plain")) == 0
    for config in ("rationales", "answers", "rejected"):
        tables = [
            pq.read_table(tmp_path / name / f"{config}.parquet") for name in ("batched", "plain")
        ]
        assert tables[0].equals(tables[1])


@pytest.mark.parametrize("place", range(4))
def test_a_command_killed_at_any_moment_submits_nothing_twice(tmp_path, monkeypatch, place):
    """Killed when the file has arrived, when the batch has been made, while it is polled, when it
    is over."""
    endpoint = BatchEndpoint(polls=10**6 if place < 3 else 1)
    reached = [
        lambda: endpoint.files,
        lambda: endpoint.batches,
        lambda: endpoint.looks > 1,
        lambda: any("output_file_id" in made for made in endpoint.batches.values()),
    ][place]
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        process = subprocess.Popen(
            [sys.executable, "-m", "datagen.cli", *words(tmp_path, "run", "--batch")]
        )
        while not reached():
            time.sleep(0.001)
        process.kill()
        process.wait()
        for made in endpoint.batches.values():
            made["polls"] = 1
        endpoint.polls = 1
        assert main(words(tmp_path, "run", "--batch")) == 0
    assert len(endpoint.asked) == 30


def test_more_requests_than_a_file_may_hold_go_into_several(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_files, "MAX_REQUESTS", 3)
    endpoint = BatchEndpoint()
    with Served(endpoint) as url:
        answers = complete(
            url, monkeypatch, [question(i) for i in range(10)], tmp_path / "b.sqlite"
        )
    assert [len(found) for found in answers] == [2] * 10
    sizes = [endpoint.files[b["input_file_id"]].count(b"\n") for b in endpoint.batches.values()]
    assert sorted(sizes) == [1, 3, 3, 3]


def test_a_budget_bounds_what_is_submitted(tmp_path, monkeypatch, capsys):
    endpoint = BatchEndpoint()
    most = (
        3 * 20 + 35
    )  # tokens that a request can take: three answers of --max_tokens, and its prompt
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        run = words(tmp_path, "run", "--batch", "--max_tokens", "20")
        assert main([*run, "--budget", f"{10 * most}tokens"]) == 3
        assert "is spent" in capsys.readouterr().err
        spent = sum(
            endpoint.reply(line["body"], "")["usage"][name]
            for line in endpoint.asked
            for name in ("prompt_tokens", "completion_tokens")
        )
        assert 8 * most < spent <= 10 * most
        assert main([*run, "--budget", f"{100 * most}tokens"]) == 0
    assert len(endpoint.asked) == 30
    assert len({line["custom_id"] for line in endpoint.asked}) == 30
