"""A small OpenAI-compatible endpoint on loopback for tests: arithmetic chains, faults on demand,
what was asked."""

from __future__ import annotations

import argparse
import asyncio
import collections
import hashlib
import json
import random
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web


class Endpoint:
    """Answers "What is 3 plus 4?" with chains that are right two times out of three, decided by
    seed and prompt alone.

    `faults` is consumed one per completion request: a status ("500", "429", "401"), "drop",
    "broken", "empty", "null", "length", "hang", "echo" (an error that tells the key), or "" for
    none; after that each fault comes with its probability in `rates`. More than `rate_limit`
    requests a second are refused, with `retry_after`. `latency` seconds pass before every answer.

    `refuses` has what is answered, status and body, to a request that holds a field; "system" is a
    system turn. `change` makes the reply that is sent of the reply that would be: an object, or
    bytes. The routes lie under `base`, and a request without `query` finds nothing.
    """

    def __init__(
        self,
        *,
        faults: list[str] | None = None,
        latency: float = 0.0,
        rates: dict[str, float] | None = None,
        rate_limit: int = 0,
        retry_after: str = "0",
        refuses: dict[str, tuple[int, Any]] | None = None,
        change: Callable[[dict[str, Any]], Any] = lambda reply: reply,
        base: str = "/v1",
        query: str = "",
    ):
        self.refuses, self.change = dict(refuses or {}), change
        self.base, self.query = base, query
        self.faults, self.latency, self.rates = list(faults or []), latency, rates or {}
        self.rate_limit, self.retry_after = rate_limit, retry_after
        self.times: list[float] = []
        self.recent: collections.deque[float] = collections.deque()
        self.rng = random.Random(0)
        self.answered: collections.Counter[str] = collections.Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        """Of the requests in `bodies`."""
        self.in_flight = self.most_in_flight = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get(f"{self.base}/models", self.models),
                web.post(f"{self.base}/chat/completions", self.complete),
                web.post(f"{self.base}/completions", self.complete),
                web.get("/stats", self.stats),
            ]
        )
        return app

    async def models(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer test-key":
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        return web.json_response({"object": "list", "data": [{"id": "arith", "object": "model"}]})

    async def stats(self, request: web.Request) -> web.Response:
        repeated = sum(count - 1 for count in self.answered.values())
        return web.json_response({"answered": self.answered.total(), "answered_again": repeated})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if request.query_string != self.query:
            return web.json_response({"error": {"message": "Resource not found"}}, status=404)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.times.append(time.monotonic())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            fault = self.fault()
            if fault == "429":
                wait = {"Retry-After": self.retry_after}
                return web.json_response(
                    {"error": {"message": "slow down"}}, status=429, headers=wait
                )
            if fault.isdigit():
                return web.json_response(
                    {"error": {"message": f"injected {fault}"}}, status=int(fault)
                )
            if fault == "echo":
                told = f"bad credentials {request.headers['Authorization']}"
                return web.json_response({"error": {"message": told}}, status=400)
            if fault == "hang":
                await asyncio.sleep(3600)
            if fault == "drop":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            for field, (status, refusal) in self.refuses.items():
                if field in body or (field == "system" and has_system(body)):
                    return web.json_response(refusal, status=status)
            reply = self.change(self.reply(body, fault))
            if isinstance(reply, bytes):
                return web.Response(body=reply, content_type="application/json")
            payload = json.dumps(reply)
            if fault == "broken":
                payload = payload[: len(payload) // 2]
            elif fault not in {"empty", "null"}:
                self.answered[
                    hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
                ] += 1
            return web.Response(text=payload, content_type="application/json")
        finally:
            self.in_flight -= 1

    def fault(self) -> str:
        if self.faults:
            return self.faults.pop(0)
        now = time.monotonic()
        while self.recent and self.recent[0] < now - 1:
            self.recent.popleft()
        if self.rate_limit and len(self.recent) >= self.rate_limit:
            return "429"
        self.recent.append(now)
        names = [*self.rates, ""]
        return self.rng.choices(names, [*self.rates.values(), 1 - sum(self.rates.values())])[0]

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        rng = random.Random(f"{body.get('seed')}:{prompt}")
        texts: list[str | None] = [chain(prompt, rng) for _ in range(body.get("n", 1))]
        if fault == "null":
            texts = [None] * len(texts)
        choices = [
            {
                "index": i,
                "finish_reason": "length" if fault == "length" else "stop",
                "logprobs": logprobs(text, "messages" in body) if body.get("logprobs") else None,
                **(
                    {"message": {"role": "assistant", "content": text}}
                    if "messages" in body
                    else {"text": text}
                ),
            }
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 7 * len(texts)}
        about = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        usage["total_tokens"] = sum(usage.values())
        return {**about, "choices": [] if fault == "empty" else choices, "usage": usage}


def logprobs(text: str | None, chat: bool) -> dict[str, Any]:
    """Half a nat for every word."""
    words = (text or "").split()
    if chat:
        return {"content": [{"token": word, "logprob": -0.5} for word in words]}
    return {"tokens": words, "token_logprobs": [-0.5] * len(words)}


def has_system(body: dict[str, Any]) -> bool:
    return any(turn["role"] == "system" for turn in body.get("messages", []))


def chain(prompt: str, rng: random.Random) -> str:
    numbers = [int(n) for n in re.findall(r"\d+", prompt)][-2:]
    if len(numbers) < 2:
        return "I do not know."
    a, b = numbers
    total = a + b + rng.choice([0, 0, 1])
    first, second = rng.choice([(a, b), (b, a)])
    return f"We add the two numbers: {first} + {second} = {total}.\nThe answer is {total}."


class Served:
    """The endpoint in a thread of its own, on any free port. `with Served(endpoint) as url:` gives
    the base URL."""

    def __init__(self, endpoint: Endpoint, *, port: int = 0):
        self.endpoint, self.port = endpoint, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self) -> str:
        self._runner = web.AppRunner(
            self.endpoint.app(), shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}{self.endpoint.base}"

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    args = parser.parse_args()
    web.run_app(
        Endpoint(latency=args.latency).app(),
        host="127.0.0.1",
        port=args.port,
        print=None,
        access_log=None,
    )
