"""The journal over a real endpoint: asked once, kept across restarts, a changed request is a new one."""

import asyncio
from dataclasses import replace

import pytest

from datagen.teacher import Request, Sampling, connect
from datagen.teacher.journal import JournaledTeacher
from tests.datagen.endpoint import Endpoint, Served

ASK = Request((("user", "What is 3 plus 4?"),), n=4, sampling=Sampling(seed=1))


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    endpoint = Endpoint()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield endpoint


def ask(path, *requests):
    async def go():
        journal = JournaledTeacher(connect("openai:arith"), path)
        try:
            return await asyncio.gather(*(journal.complete(r) for r in requests)), journal.usage
        finally:
            await journal.close()

    return asyncio.run(go())


def test_a_restarted_journal_asks_nothing_again(endpoint, tmp_path):
    first, usage = ask(tmp_path / "j", ASK)
    again, usage_again = ask(tmp_path / "j", ASK)
    assert again == first
    assert usage_again == usage
    assert (usage.answers, usage.completion_tokens, usage.prompt_tokens) == (4, 28, 5)
    assert len(endpoint.bodies) == 1


def test_equal_requests_at_the_same_time_are_asked_once(endpoint, tmp_path):
    [a, b], _ = ask(tmp_path / "j", ASK, ASK)
    assert a == b
    assert len(endpoint.bodies) == 1


def test_further_samples_are_asked_for_alone(endpoint, tmp_path):
    [first], _ = ask(tmp_path / "j", ASK)
    [more], _ = ask(tmp_path / "j", replace(ASK, n=2, first=4))
    [part], _ = ask(tmp_path / "j", replace(ASK, n=3, first=2))
    assert [body["n"] for body in endpoint.bodies] == [4, 2]
    assert part == [*first[2:], more[0]]


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, prompt=(("system", "Be brief."), *ASK.prompt)),
        replace(ASK, prompt="What is 3 plus 4?"),
        replace(ASK, sampling=replace(ASK.sampling, temperature=0.9)),
        replace(ASK, sampling=replace(ASK.sampling, max_tokens=9)),
        replace(ASK, sampling=replace(ASK.sampling, stop=("\n",))),
        replace(ASK, sampling=replace(ASK.sampling, seed=2)),
    ],
)
def test_a_changed_request_is_a_new_one(endpoint, tmp_path, other):
    ask(tmp_path / "j", ASK)
    ask(tmp_path / "j", other)
    assert len(endpoint.bodies) == 2
