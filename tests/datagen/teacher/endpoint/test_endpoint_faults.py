"""Endpoints that fail, each fault alone and all together: every row ends, counts add up, nothing is
paid for twice."""

import asyncio
import collections
import re
import socket
import threading
import time

import pytest

from datagen.errors import UserError
from datagen.run import OpenRun
from datagen.schema import Accepted, Rejected
from datagen.teacher import Request, TeacherError
from datagen.teacher.endpoint.openai import OpenAITeacher
from datagen.teacher.endpoint.throttle import Patience
from tests.datagen.configs import config_of
from tests.datagen.endpoint import Endpoint, Served

QUICK = Patience(attempt_s=0.4, request_s=30, down_s=20)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")


def question(i):
    return Request((("user", f"What is {i} plus {i % 7}?"),), n=2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def distil(i, teacher):
    answers = await teacher.complete(question(i))
    cut = any(a.finish_reason == "length" for a in answers)
    row = {"id": str(i), "question": str(i)}
    return [Rejected(row, "truncated") if cut else Accepted(row, "rationales")]


def run(tmp_path, url, monkeypatch, *, items=120, patience=QUICK, concurrency=16):
    """The counts by config and reason, after checking that every item has its one row."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)

    async def go():
        teacher = OpenAITeacher("arith", concurrency=concurrency, patience=patience)
        with OpenRun(tmp_path / "run", config_of("m")) as run:
            return await run.each(
                range(items),
                distil,
                teacher=teacher,
                describe=lambda i: {"id": str(i), "question": str(i)},
                statistics=lambda rows: {
                    "seen": sorted(int(r["id"]) for group in rows for r in group)
                },
                concurrency=concurrency,
            )

    stats = asyncio.run(go())
    counts = collections.Counter(stats["accepted"]) + collections.Counter(stats["rejected"])
    assert stats["seen"] == list(range(items))
    assert counts.total() == items
    return counts


def asked_again(endpoint):
    return sum(count - 1 for count in endpoint.answered.values())


@pytest.mark.parametrize("fault", ["500", "503", "drop", "broken", "empty", "null", "hang"])
def test_a_fault_that_passes_costs_no_row(tmp_path, monkeypatch, fault):
    endpoint = Endpoint(rates={fault: 0.05}, latency=0.005)
    with Served(endpoint) as url:
        assert run(tmp_path, url, monkeypatch) == {"rationales": 120}
    assert asked_again(endpoint) == 0
    assert len(endpoint.bodies) > 120


def test_all_faults_together(tmp_path, monkeypatch):
    rates = dict.fromkeys(["500", "drop", "broken", "empty", "null", "hang", "length"], 0.03)
    endpoint = Endpoint(rates=rates, rate_limit=100, retry_after="0.2", latency=0.005)
    with Served(endpoint) as url:
        counts = run(tmp_path, url, monkeypatch, items=80)
    assert set(counts) == {"rationales", "truncated"}
    assert asked_again(endpoint) == 0


def test_what_failed_for_good_is_a_row_and_all_that_the_next_run_asks_for(tmp_path, monkeypatch):
    endpoint = Endpoint(faults=["400", "", "422"])
    with Served(endpoint) as url:
        assert run(tmp_path, url, monkeypatch, items=30)["failed"] == 2
        before = len(endpoint.bodies)
        assert run(tmp_path, url, monkeypatch, items=30) == {"rationales": 30}
    assert len(endpoint.bodies) - before == 2


def test_an_endpoint_that_goes_away_and_comes_back(tmp_path, monkeypatch, capsys):
    port = free_port()
    first, second = Endpoint(latency=0.01), Endpoint(latency=0.01)

    def serve():
        with Served(first, port=port):
            while len(first.bodies) < 40:
                time.sleep(0.01)
        time.sleep(1.5)
        up_again.__enter__()

    up_again = Served(second, port=port)
    life = threading.Thread(target=serve)
    life.start()
    while not first.bodies and not reachable(port):
        time.sleep(0.01)
    try:
        assert run(tmp_path, f"http://127.0.0.1:{port}/v1", monkeypatch) == {"rationales": 120}
    finally:
        life.join()
        up_again.__exit__()
    said = capsys.readouterr().err
    assert len(re.findall("is down", said)) == len(re.findall("is back after", said)) == 1
    assert (
        first.answered.total() + second.answered.total() <= 120 + 16
    )  # what was in flight when it went


def reachable(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_endpoint_that_stays_away_ends_the_run(tmp_path, monkeypatch):
    teacher_url = f"http://127.0.0.1:{free_port()}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", teacher_url)

    async def go():
        teacher = OpenAITeacher("arith", patience=Patience(down_s=1.0))
        try:
            return await asyncio.gather(
                *(teacher.complete(question(i)) for i in range(5)), return_exceptions=True
            )
        finally:
            await teacher.close()

    errors = asyncio.run(go())
    assert all(isinstance(error, UserError) and teacher_url in str(error) for error in errors)
    assert "run the same command later to continue" in str(errors[0])


def complete(url, monkeypatch, requests, *, patience=QUICK, concurrency=64):
    monkeypatch.setenv("OPENAI_BASE_URL", url)

    async def go():
        teacher = OpenAITeacher("arith", concurrency=concurrency, patience=patience)
        try:
            return await asyncio.gather(
                *(teacher.complete(r) for r in requests), return_exceptions=True
            )
        finally:
            await teacher.close()

    return asyncio.run(go())


def test_a_request_that_fails_for_ever_fails_alone(monkeypatch):
    endpoint = Endpoint(faults=["500", "500", "500"])
    with Served(endpoint) as url:
        (error,) = complete(url, monkeypatch, [question(1)], patience=Patience(retries=2))
        assert isinstance(error, TeacherError)
        assert str(error).endswith("the last: 500 injected 500")
        assert len(endpoint.bodies) == 3


def test_retries_go_on_beside_new_work(monkeypatch):
    """The lost request is asked again before the others are through."""
    endpoint = Endpoint(faults=["500"], latency=0.02)
    with Served(endpoint) as url:
        complete(url, monkeypatch, [question(i) for i in range(100)], concurrency=2)
    prompts = [body["messages"][0]["content"] for body in endpoint.bodies]
    assert prompts[0] in prompts[1:-20]


def test_nobody_is_asked_before_the_time_that_the_endpoint_named(monkeypatch):
    endpoint = Endpoint(faults=["429"], retry_after="0.6")
    with Served(endpoint) as url:
        answers = complete(url, monkeypatch, [question(i) for i in range(10)], concurrency=1)
    assert all(len(found) == 2 for found in answers)
    assert endpoint.times[1] - endpoint.times[0] >= 0.6


@pytest.mark.parametrize("wait", ["7200", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_an_endpoint_that_asks_for_more_time_than_there_is_ends_the_run(monkeypatch, wait):
    with Served(Endpoint(faults=["429"], retry_after=wait)) as url:
        (error,) = complete(url, monkeypatch, [question(1)])
    assert isinstance(error, UserError)
    assert "asks to wait" in str(error)


@pytest.mark.parametrize("status", ["401", "402", "403"])
def test_what_no_request_can_pass_ends_the_run_at_once(monkeypatch, status):
    endpoint = Endpoint(faults=[status])
    with Served(endpoint) as url:
        (error,) = complete(url, monkeypatch, [question(1)])
    assert isinstance(error, UserError)
    assert f"refuses model 'arith': {status} injected" in str(error)
    assert len(endpoint.bodies) == 1


def test_closing_leaves_no_request_behind(monkeypatch):
    endpoint = Endpoint(latency=30)
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)

        async def go():
            teacher = OpenAITeacher("arith", concurrency=4)
            asking = [asyncio.ensure_future(teacher.complete(question(i))) for i in range(10)]
            while endpoint.in_flight < 4:
                await asyncio.sleep(0.01)
            await teacher.close()
            assert all(task.done() for task in asking)
            while endpoint.in_flight:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(go())
    assert len(endpoint.bodies) == 4


def test_a_cancelled_request_frees_its_place(monkeypatch):
    endpoint = Endpoint(faults=["hang"])
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)

        async def go():
            teacher = OpenAITeacher("arith", concurrency=1)
            hanging, waiting = (
                asyncio.ensure_future(teacher.complete(question(i))) for i in range(2)
            )
            while not endpoint.bodies:
                await asyncio.sleep(0.01)
            hanging.cancel()
            assert len(await waiting) == 2
            await teacher.close()

        asyncio.run(go())


def test_no_error_tells_the_key(monkeypatch):
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    endpoint = Endpoint(faults=["400", "401", "echo", "echo"])
    with Served(endpoint) as url:
        errors = complete(
            url,
            monkeypatch,
            [question(i) for i in range(3)],
            patience=Patience(retries=0),
            concurrency=1,
        )
        errors += complete(
            url.replace("//", "//user:pass-word@"), monkeypatch, [question(1)], concurrency=1
        )
    assert all(isinstance(error, (TeacherError, UserError)) for error in errors)
    assert "***" in str(errors[2])
    assert secret not in repr(errors)
    assert "pass-word" not in repr(errors)
