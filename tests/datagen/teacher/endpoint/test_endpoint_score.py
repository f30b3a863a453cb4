"""Scoring on a vLLM server: against a server that speaks its wire format over a character bigram
model."""

import asyncio
import itertools
import math
import threading

import pytest
from aiohttp import web

from datagen.teacher import connect

WORDS = "the cat sat on the mat and the cat sat on the hat"
SPECIAL = 1  # begins every prompt that is tokenized with special tokens


def logprob(before, token):
    """Of a bigram model with add-one smoothing over 128 characters."""
    pairs = sum(a == chr(before) and b == chr(token) for a, b in itertools.pairwise(WORDS))
    return math.log((pairs + 1) / (WORDS[:-1].count(chr(before)) + 128))


async def tokenize(request):
    body = await request.json()
    if "messages" in body:
        text = "".join(f"<{m['role']}>{m['content']}" for m in body["messages"]) + "<assistant>"
        tokens = [SPECIAL, *map(ord, text)]
    else:
        tokens = [SPECIAL] * body.get("add_special_tokens", True) + [ord(c) for c in body["prompt"]]
    return web.json_response({"count": len(tokens), "max_model_len": 4096, "tokens": tokens})


async def completions(request):
    body = await request.json()
    ids = body["prompt"]
    entries = [
        None,
        *(
            {str(t): {"logprob": logprob(b, t), "rank": 1, "decoded_token": chr(t)}}
            for b, t in itertools.pairwise(ids)
        ),
    ]
    assert body["prompt_logprobs"] == 0
    choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": entries}
    return web.json_response(
        {"choices": [choice], "usage": {"prompt_tokens": len(ids), "completion_tokens": 1}}
    )


@pytest.fixture
def server(monkeypatch):
    loop, runner = asyncio.new_event_loop(), None

    async def start():
        nonlocal runner
        app = web.Application()
        app.add_routes([web.post("/tokenize", tokenize), web.post("/v1/completions", completions)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.addresses[0][1]

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    yield
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def score(prompt, continuation):
    async def go():
        teacher = connect("openai:bigram")
        try:
            return await teacher.score(prompt, continuation)
        finally:
            await teacher.close()

    return asyncio.run(go())


@pytest.mark.parametrize(("prompt", "last"), [("the c", "c"), ((("user", "the c"),), ">")])
def test_each_token_of_the_continuation_has_its_log_probability(server, prompt, last):
    text = last + "at sat"
    expected = [logprob(ord(a), ord(b)) for a, b in itertools.pairwise(text)]
    assert score(prompt, "at sat") == pytest.approx(expected)


def test_nothing_has_no_tokens(server):
    assert score("the c", "") == []
