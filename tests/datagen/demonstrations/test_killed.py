"""A run that scores candidates, killed and begun again: what was scored is in the journal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.datagen.demonstrations.reading import Reading, write_tasks
from tests.datagen.endpoint import Endpoint, Served

CONSIDERED, IN_FLIGHT = 4, 2
GROUP = CONSIDERED + 1
"""Scores that belong together: those of a query's candidates, each alone, and of no
demonstration."""


class Scoring(Reading):
    """Reads, and scores as a vLLM server does; a token is a character."""

    def app(self) -> web.Application:
        app = super().app()
        app.add_routes([web.post("/tokenize", self.tokenize)])
        return app

    async def tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        return web.json_response({"tokens": list(map(ord, text))})

    def reply(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        if "prompt_logprobs" not in body:
            return dict(super().reply(body, fault))
        entries = [None, *({str(t): {"logprob": -(t % 7) / 10}} for t in body["prompt"][1:])]
        return {
            "choices": [
                {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": entries}
            ]
        }


def command(folder: Path, out: str, url: str) -> subprocess.Popen[bytes]:
    words = [
        "demonstrations",
        "parity.yaml",
        "--kind",
        "context-distillation",
        "--strategy",
        "teacher",
    ]
    words += [
        "--shots",
        "2",
        "--format",
        "arrow",
        "--queries",
        "5",
        "--considered",
        str(CONSIDERED),
    ]
    words += ["--teacher", "openai:arith", "--concurrency", str(IN_FLIGHT), "--out", out]
    env = os.environ | {
        "OPENAI_API_KEY": "test-key",
        "OPENAI_BASE_URL": url,
        "PYTHONPATH": str(Path.cwd()),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "datagen.cli", *words],
        cwd=folder,
        env=env,
        stdout=subprocess.DEVNULL,
    )


def scored(endpoint: Endpoint) -> Counter[str]:
    return Counter(
        json.dumps(body["prompt"]) for body in endpoint.bodies if "prompt_logprobs" in body
    )


def test_what_was_scored_before_a_kill_is_not_asked_again(tmp_path: Path) -> None:
    write_tasks(tmp_path)
    endpoint = Scoring(latency=0.02)
    with Served(endpoint) as url:
        for asked in (40, 90):
            process = command(tmp_path, "killed", url)
            until = time.monotonic() + 60
            while (
                len(endpoint.bodies) < asked and process.poll() is None and time.monotonic() < until
            ):
                time.sleep(0.01)
            assert process.poll() is None, "it was to be killed while it ran"
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert command(tmp_path, "killed", url).wait() == 0
        found = scored(endpoint)
        again = sum(found.values()) - len(found)
        assert again <= 2 * IN_FLIGHT * GROUP  # what was on its way when the process died
        endpoint.bodies.clear()
        assert command(tmp_path, "whole", url).wait() == 0
    assert scored(endpoint).keys() == found.keys()
    assert len(found) > 2 * 2 * IN_FLIGHT * GROUP  # far more than may be lost
    files = [
        (tmp_path / name / "demonstrations.parquet").read_bytes() for name in ("killed", "whole")
    ]
    assert files[0] == files[1]
