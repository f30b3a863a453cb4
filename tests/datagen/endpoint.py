"""A small OpenAI-compatible endpoint on loopback for tests: arithmetic chains, faults on demand, what was asked."""

from __future__ import annotations

import argparse
import asyncio
import collections
import hashlib
import json
import random
import re
import threading
from typing import Any

from aiohttp import web


class Endpoint:
    """Answers "What is 3 plus 4?" with chains that are right two times out of three, decided by seed and prompt alone.

    `faults` is consumed one per completion request: "500", "429", "401", "drop", "broken", "empty", "null", "length",
    or "" for none. `latency` seconds pass before every answer.
    """

    def __init__(self, *, faults: list[str] | None = None, latency: float = 0.0):
        self.faults, self.latency = list(faults or []), latency
        self.answered: collections.Counter[str] = collections.Counter()
        self.bodies: list[dict[str, Any]] = []
        self.in_flight = self.most_in_flight = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/models", self.models),
                web.post("/v1/chat/completions", self.complete),
                web.post("/v1/completions", self.complete),
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
        self.bodies.append(body)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency)
            fault = self.faults.pop(0) if self.faults else ""
            if fault in {"500", "401", "400"}:
                return web.json_response({"error": {"message": f"injected {fault}"}}, status=int(fault))
            if fault == "429":
                return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0"})
            if fault == "drop":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            payload = json.dumps(self.reply(body, fault))
            if fault == "broken":
                payload = payload[: len(payload) // 2]
            elif fault != "empty":
                self.answered[hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()] += 1
            return web.Response(text=payload, content_type="application/json")
        finally:
            self.in_flight -= 1

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
                **({"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}),
            }
            for i, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 7 * len(texts)}
        return {"choices": [] if fault == "empty" else choices, "usage": usage}


def chain(prompt: str, rng: random.Random) -> str:
    numbers = [int(n) for n in re.findall(r"\d+", prompt)][-2:]
    if len(numbers) < 2:
        return "I do not know."
    a, b = numbers
    total = a + b + rng.choice([0, 0, 1])
    first, second = rng.choice([(a, b), (b, a)])
    return f"We add the two numbers: {first} + {second} = {total}.\nThe answer is {total}."


class Served:
    """The endpoint in a thread of its own. `with Served(endpoint) as url:` gives the base URL."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self) -> str:
        self._runner = web.AppRunner(self.endpoint.app())
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/v1"

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    args = parser.parse_args()
    web.run_app(Endpoint(latency=args.latency).app(), host="127.0.0.1", port=args.port, print=None, access_log=None)
