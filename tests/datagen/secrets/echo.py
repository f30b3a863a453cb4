"""A server that repeats what it was given, wherever a server can write something."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

from aiohttp import web

from tests.datagen.endpoint import Endpoint


class Echo(Endpoint):
    """Puts everything that it knows of a client into the answer to question number n: n % 8 says
    where."""

    def __init__(self, *, known: list[str]):
        super().__init__()
        self.known = known
        """Secrets that no request holds; the server has them from elsewhere."""
        self.asked = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self.answer)])
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        told = self.all_that_is_known(request, body)
        if request.method == "GET":
            return web.json_response({"data": [{"id": "arith"}, {"id": told}]})
        self.asked += 1
        a, b = map(int, re.findall(r"What is (\d+) plus (\d+)", body)[-1])
        if a % 8 == 0:
            return web.json_response({"error": {"message": told, "code": told}}, status=400)
        if a % 8 == 1:
            return web.Response(text=f"<html>\x1b[2J{told}</html>", status=500)
        if a % 8 == 2:
            return web.json_response({"error": {"message": told}})
        if a % 8 == 3:
            return web.Response(text=told)
        text = f"{told}\n{a} + {b} = {a + b}.\nThe answer is {a + b}."
        choice = {"index": 0, "finish_reason": "stop", "message": {"content": text}}
        if a % 8 == 4:
            choice["finish_reason"] = told
        if a % 8 == 5:
            choice["message"] = {"content": text, "reasoning_content": told}
        usage = {"prompt_tokens": 5, "completion_tokens": 7, told: 1}
        reply = json.dumps({"id": told, "model": told, "choices": [choice], "usage": usage})
        if a % 8 == 6:
            # JSON may write any character as an escape, and a slash as \/
            reply = re.sub("[sSzZeE]", lambda found: f"\\u{ord(found[0]):04x}", reply)
            reply = reply.replace("/", r"\/")
        return web.Response(text=reply, content_type="application/json")

    def all_that_is_known(self, request: web.Request, body: str) -> str:
        sent = [f"{name}: {value}" for name, value in request.headers.items()]
        sent += [str(request.url), request.path_qs, body, *self.known]
        login = request.headers.get("Authorization", "").removeprefix("Basic ")
        if login != request.headers.get("Authorization", ""):
            sent.append(base64.b64decode(login).decode())
            sent += sent[-1].split(":", 1)
        told = " | ".join(sent)
        encoded = base64.b64encode(told.encode()).decode()
        return " | ".join([told, told.upper(), told.lower(), quote(told, safe=""), encoded])
