"""The OpenAI engine against a real HTTP server on loopback."""

import asyncio

import pytest

from datagen.errors import UserError
from datagen.teacher import Request, Sampling, TeacherError, connect
from tests.datagen.endpoint import Endpoint, Served

ASK = Request((("user", "What is 3 plus 4?"),), n=3, sampling=Sampling(seed=5))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")


def ask(endpoint, request, monkeypatch, *, model="arith", check=False, concurrency=64):
    async def go():
        teacher = connect(f"openai:{model}", concurrency=concurrency)
        try:
            if check:
                await teacher.open()
            if isinstance(request, list):
                return await asyncio.gather(*(teacher.complete(r) for r in request))
            return await teacher.complete(request)
        finally:
            await teacher.close()

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return asyncio.run(go())


def test_chat_request_carries_sampling_and_gives_n_completions(monkeypatch):
    endpoint = Endpoint()
    request = Request(
        ASK.prompt,
        n=3,
        sampling=Sampling(temperature=0.3, top_p=0.9, max_tokens=50, stop=("X",), seed=5),
    )
    answers = ask(endpoint, request, monkeypatch, check=True)
    assert endpoint.bodies == [
        {
            "model": "arith",
            "messages": [{"role": "user", "content": "What is 3 plus 4?"}],
            "n": 3,
            "temperature": 0.3,
            "top_p": 0.9,
            "max_tokens": 50,
            "stop": ["X"],
            "seed": 5,
        }
    ]
    assert len(answers) == 3
    assert all("The answer is" in a.text and a.finish_reason == "stop" for a in answers)
    assert [a.tokens for a in answers] == [7, 7, 7]
    assert [a.prompt_tokens for a in answers] == [5, 0, 0]


def test_plain_text_goes_to_the_completions_route(monkeypatch):
    endpoint = Endpoint()
    answers = ask(endpoint, Request("Q: What is 3 plus 4?\nA:"), monkeypatch)
    assert endpoint.bodies[0]["prompt"] == "Q: What is 3 plus 4?\nA:"
    assert "The answer is" in answers[0].text


def test_later_samples_use_another_seed(monkeypatch):
    endpoint = Endpoint()
    ask(
        endpoint,
        [Request(ASK.prompt, n=2, sampling=ASK.sampling), Request(ASK.prompt, n=1, first=2)],
        monkeypatch,
    )
    assert sorted(body["seed"] for body in endpoint.bodies) == [2, 5]


@pytest.mark.parametrize("fault", ["500", "429", "drop", "broken", "empty"])
def test_passing_faults_are_asked_again(monkeypatch, fault):
    endpoint = Endpoint(faults=[fault, fault])
    answers = ask(endpoint, ASK, monkeypatch)
    assert len(answers) == 3
    assert len(endpoint.bodies) == 3
    assert endpoint.answered.total() == 1


def test_null_content_is_asked_again_and_length_is_kept(monkeypatch):
    assert all("The answer is" in a.text for a in ask(Endpoint(faults=["null"]), ASK, monkeypatch))
    assert {a.finish_reason for a in ask(Endpoint(faults=["length"]), ASK, monkeypatch)} == {
        "length"
    }


def test_a_request_the_endpoint_will_never_take_fails_at_once(monkeypatch):
    endpoint = Endpoint(faults=["400"])
    with pytest.raises(TeacherError, match="injected 400"):
        ask(endpoint, ASK, monkeypatch)
    assert len(endpoint.bodies) == 1


def test_concurrency_bounds_the_requests_in_flight(monkeypatch):
    endpoint = Endpoint(latency=0.02)
    requests = [Request((("user", f"What is {i} plus 1?"),)) for i in range(30)]
    ask(endpoint, requests, monkeypatch, concurrency=4)
    assert endpoint.most_in_flight == 4


def test_what_is_wrong_with_the_endpoint_is_said_in_one_line(monkeypatch):
    with pytest.raises(UserError, match=r"no model 'gpt-x'; it has: arith"):
        ask(Endpoint(), ASK, monkeypatch, model="gpt-x", check=True)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(UserError, match="refused the key in OPENAI_API_KEY"):
        ask(Endpoint(), ASK, monkeypatch, check=True)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        ask(Endpoint(), ASK, monkeypatch, check=True)


def test_an_unreachable_endpoint_is_named(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match=r"cannot reach http://127.0.0.1:9/v1 \(OPENAI_BASE_URL\)"):
        asyncio.run(connect("openai:arith").open())


def test_scoring_at_an_endpoint_that_cannot_names_an_engine_that_can(monkeypatch):
    with Served(Endpoint()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        with pytest.raises(UserError, match=r"404.*use hf:NAME_OR_PATH or micro"):
            asyncio.run(connect("openai:arith").score("2 + 2 =", " 4"))


def test_an_unknown_engine_names_those_there_are():
    with pytest.raises(
        UserError,
        match="use micro, hf:NAME_OR_PATH, vllm:NAME_OR_PATH, openai:MODEL or any-llm:PROV",
    ):
        connect("gpt-4")
