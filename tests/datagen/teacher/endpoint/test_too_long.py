"""An endpoint's "too long" is an error of its own, in whatever words it says so."""

import asyncio

import pytest
from aiohttp import web

from datagen.errors import ContextExceeded, Refused
from datagen.teacher import Request, Sampling, connect
from datagen.teacher.endpoint.batch_book import Reply
from datagen.teacher.endpoint.batch_files import read_reply
from tests.datagen.endpoint import Endpoint, Served

TOO_LONG = {
    "public API": {
        "error": {
            "message": "Your input exceeds the limit of this model.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        }
    },
    "vLLM": {
        "object": "error",
        "message": "This model's maximum context length is 2048 tokens. However, your request has "
        "3000 input tokens.",
        "type": "BadRequestError",
        "code": 400,
    },
    "vLLM's engine": {
        "error": {
            "message": "The decoder prompt (length 3000) is longer than the maximum model length "
            "of 2048.",
            "code": 400,
        }
    },
    "llama.cpp": {
        "error": {
            "code": 400,
            "message": "the request exceeds the available context size",
            "type": "exceed_context_size_error",
        }
    },
}
OTHERWISE = {"error": {"message": "temperature must be at most 2", "code": "invalid_value"}}


class Strict(Endpoint):
    """Refuses every request with one body."""

    def __init__(self, body, status=400):
        super().__init__()
        self.body, self.status = body, status

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        return web.json_response(self.body, status=self.status)


def error_of(endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")

    async def go():
        teacher = connect("openai:arith")
        try:
            await teacher.complete(Request("a long text", sampling=Sampling(max_tokens=5)))
        finally:
            await teacher.close()

    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        with pytest.raises(Exception) as error:  # noqa: PT011
            asyncio.run(go())
    return error.value


@pytest.mark.parametrize("server", TOO_LONG)
def test_a_text_beyond_the_context_is_told_by_its_type(monkeypatch, server):
    endpoint = Strict(TOO_LONG[server])
    error = error_of(endpoint, monkeypatch)
    assert type(error) is ContextExceeded
    assert str(error).startswith("400 ")
    assert len(endpoint.bodies) == 1


def test_another_refusal_is_not_one_of_length(monkeypatch):
    error = error_of(Strict(OTHERWISE, 422), monkeypatch)
    assert type(error) is Refused
    assert error.status == 422


def test_a_batch_reply_beyond_the_context_is_told_by_its_type():
    with pytest.raises(ContextExceeded, match="maximum context length"):
        read_reply(Reply(400, "400 This model's maximum context length is 2048 tokens."), len)
    with pytest.raises(Refused, match="temperature"):
        read_reply(Reply(400, "400 temperature must be at most 2"), len)
