"""A small server with /v1/files and /v1/batches, which answers the requests in them as
tests.datagen.endpoint does."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

from aiohttp import web

from tests.datagen.endpoint import Endpoint


class BatchEndpoint(Endpoint):
    """Batches are over after `polls` looks at them. `ends` is consumed one a batch: "completed"
    (also when it is used up), "expired" (after half of the requests), "failed", "cancelled".
    `faults` is consumed one a request: a status, "null", "lost" (in no file), "broken" (half a
    line), "echo" (a refusal that tells the key). `drops` is consumed one a call for a new batch:
    "before" or "after" it was made the connection is cut."""

    def __init__(
        self,
        *,
        polls: int = 1,
        ends: list[str] | None = None,
        drops: list[str] | None = None,
        **more: Any,
    ):
        super().__init__(**more)
        self.polls, self.ends, self.drops = polls, list(ends or []), list(drops or [])
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count(1)
        self.looks = 0
        self.down = 0
        """How many of the next calls fail with 503."""

    def app(self) -> web.Application:
        app = super().app()
        app.add_routes(
            [
                web.post("/v1/files", self.upload),
                web.get("/v1/files/{id}/content", self.content),
                web.post("/v1/batches", self.create),
                web.get("/v1/batches", self.listed),
                web.get("/v1/batches/{id}", self.look),
            ]
        )
        return app

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests of all batches, in order."""
        return [
            json.loads(line)
            for batch in self.batches.values()
            for line in self.files[batch["input_file_id"]].splitlines()
        ]

    async def upload(self, request: web.Request) -> web.Response:
        if self.refused(request):
            return web.json_response({"error": {"message": "not now"}}, status=503)
        form = await request.post()
        assert form["purpose"] == "batch"
        id = f"file-{next(self.numbers)}"
        self.files[id] = form["file"].file.read()  # type: ignore[union-attr]
        return web.json_response(
            {
                "id": id,
                "object": "file",
                "bytes": 1,
                "created_at": 1,
                "filename": "f",
                "purpose": "batch",
                "status": "x",
            }
        )

    async def content(self, request: web.Request) -> web.Response:
        if self.refused(request):
            return web.json_response({"error": {"message": "not now"}}, status=503)
        return web.Response(body=self.files[request.match_info["id"]])

    async def create(self, request: web.Request) -> web.Response:
        drop = self.drops.pop(0) if self.drops else ""
        asked = await request.json()
        if drop != "before":
            id = f"batch-{next(self.numbers)}"
            self.batches[id] = {
                "id": id,
                "object": "batch",
                "created_at": 1,
                "status": "in_progress",
                "polls": self.polls,
                **asked,
            }
        if drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response(self.batches[id])

    async def listed(self, request: web.Request) -> web.Response:
        found = list(self.batches.values())[::-1]
        return web.json_response({"object": "list", "data": found, "has_more": False})

    async def look(self, request: web.Request) -> web.Response:
        if self.refused(request):
            return web.json_response({"error": {"message": "not now"}}, status=503)
        self.looks += 1
        batch = self.batches[request.match_info["id"]]
        batch["polls"] -= 1
        if batch["polls"] < 0 and batch["status"] == "in_progress":
            self.end(batch)
        return web.json_response(batch)

    def refused(self, request: web.Request) -> bool:
        assert request.headers["Authorization"] == "Bearer test-key"
        self.down -= 1
        return self.down >= 0

    def end(self, batch: dict[str, Any]) -> None:
        batch["status"] = self.ends.pop(0) if self.ends else "completed"
        if batch["status"] == "failed":
            batch["errors"] = {
                "object": "list",
                "data": [{"code": "x", "message": "line 1 is no request"}],
            }
            return
        requests = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        done = len(requests) if batch["status"] == "completed" else len(requests) // 2
        good, bad = (
            [],
            [line_of(request, error={"code": "batch_expired"}) for request in requests[done:]],
        )
        for request in requests[:done]:
            fault = self.faults.pop(0) if self.faults else ""
            refused = [r for field, r in self.refuses.items() if field in request["body"]]
            if refused:
                status, body = refused[0]
                bad.append(line_of(request, response={"status_code": status, "body": body}))
            elif fault.isdigit() or fault == "echo":
                told = "bad credentials Bearer test-key" if fault == "echo" else f"injected {fault}"
                response = {
                    "status_code": 400 if fault == "echo" else int(fault),
                    "body": {"error": {"message": told}},
                }
                bad.append(line_of(request, response=response))
            elif fault != "lost":
                body = self.reply(request["body"], fault)
                line = line_of(
                    request, response={"status_code": 200, "request_id": "r", "body": body}
                )
                good.append(line[: len(line) // 2] if fault == "broken" else line)
        random.Random(1).shuffle(good)
        for key, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[key] = f"file-{next(self.numbers)}"
                self.files[batch[key]] = "\n".join(lines).encode() + b"\n"


def line_of(request: dict[str, Any], **answer: Any) -> str:
    return json.dumps(
        {"id": "b", "custom_id": request["custom_id"], "response": None, "error": None, **answer}
    )
