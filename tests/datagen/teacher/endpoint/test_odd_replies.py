"""Replies with status 200 that are no answers, over a socket: how often they are asked for, and what
the user reads."""

import asyncio
import json

import pyarrow.parquet as pq
import pytest

from datagen.cli import main
from datagen.errors import Refused, Unavailable, UserError
from datagen.teacher import Request, connect
from datagen.teacher.endpoint.throttle import Patience
from tests.datagen.endpoint import Endpoint, Served

ASK = Request((("user", "What is 3 plus 4?"),))
TWICE = Patience(retries=1)


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")


def ask(endpoint, monkeypatch):
    async def go():
        teacher = connect("openai:arith", patience=TWICE)
        try:
            return await teacher.complete(ASK)
        finally:
            await teacher.close()

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return asyncio.run(go())


def always(body):
    return Endpoint(change=lambda reply: body)


def test_an_error_that_is_a_refusal_is_asked_for_once(monkeypatch):
    endpoint = always({"error": {"message": "This text was flagged", "code": 403}})
    with pytest.raises(Refused, match=r"^403 This text was flagged$"):
        ask(endpoint, monkeypatch)
    assert len(endpoint.bodies) == 1


def test_an_error_of_the_account_ends_the_run(monkeypatch):
    with pytest.raises(UserError, match="refuses model 'arith': 402 Pay first"):
        ask(always({"error": {"message": "Pay first", "code": 402}}), monkeypatch)


def test_an_error_that_passes_is_asked_for_again(monkeypatch):
    busy = {"error": {"message": "Rate limit exceeded", "code": 429}}
    replies = [busy, busy]
    endpoint = Endpoint(change=lambda reply: replies.pop() if replies else reply)
    [answer] = ask(endpoint, monkeypatch)
    assert "The answer is" in answer.text
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"choices": []}, "a reply without choices"),
        ({"error": {"message": "Try again", "code": 500}}, "500 Try again"),
        (b"<html><title>Guest Wi-Fi</title></html>", r'a web page \("Guest Wi-Fi"\) instead'),
        (b"", "an empty reply"),
        (b"data: {}\n\ndata: [DONE]", "a stream of events instead of one answer"),
        (b"OK", r"the reply is no answer \("),
        (b'{"choices": [', r"the reply is no answer \("),
    ],
)
def test_what_is_no_answer_is_named_after_the_last_attempt(monkeypatch, body, said):
    endpoint = always(body)
    with pytest.raises(Unavailable, match=f"no answer after 2 attempts.*the last: {said}"):
        ask(endpoint, monkeypatch)
    assert len(endpoint.bodies) == 2


@pytest.mark.parametrize("code", [400, 500, 401])
def test_an_error_with_status_200_does_not_tell_the_key(monkeypatch, code):
    endpoint = always({"error": {"message": "bad key test-key", "code": code}})
    with pytest.raises(Exception, match=r"bad key \*\*\*") as error:
        ask(endpoint, monkeypatch)
    assert "test-key" not in str(error.value)


def test_a_reply_with_another_status_of_success_is_a_reply(monkeypatch):
    class Creating(Endpoint):
        async def complete(self, request):
            response = await super().complete(request)
            response.set_status(201)
            return response

    assert ask(Creating(), monkeypatch)


def test_a_run_names_the_reason_and_keeps_its_rows(tmp_path, monkeypatch, capsys):
    lines = [{"question": f"What is {i} plus 2?", "answer": str(i + 2)} for i in range(3)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flagged = {"error": {"message": "Flagged by the\n provider \x1b[31m", "code": 403}}

    def change(reply):
        return flagged if "1 +" in str(reply) or "+ 1" in str(reply) else reply

    words = ["rationales", str(tmp_path / "q.jsonl"), "--teacher", "openai:arith"]
    words += ["--keep_by", "none", "--samples", "1", "--out", str(tmp_path / "run")]
    with Served(Endpoint(change=change)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert main(words) == 0
    reason = "403 Flagged by the provider \\x1b[31m"
    assert f"failed:    1, each with: {reason}\n" in capsys.readouterr().err
    rows = pq.read_table(tmp_path / "run" / "rejected.parquet").to_pylist()
    assert [row["finish_reason"] for row in rows] == [reason]
    assert pq.read_table(tmp_path / "run" / "rationales.parquet").num_rows == 2
