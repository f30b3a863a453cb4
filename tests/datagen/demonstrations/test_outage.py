"""An outage in the middle of a selection fails the query; it never changes what is selected."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datagen.demonstrations.command import run_demonstrations
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.errors import ContextExceeded, TeacherError, Unavailable
from datagen.teacher import Capabilities, Completion, Request
from datagen.teacher.scoring import score_each
from tests.datagen.demonstrations.reading import label_by_reading, write_tasks

FAR_TOO_LONG = 150
"""Characters of a prompt beyond the engine's context."""


class Engine:
    """Reads demonstrations, and scores by a hash. `errors`: by the number of a score, what is raised
    in its place; `answers`: the same by the number of a completion."""

    name = "openai:memory"
    capabilities = Capabilities(score=True)

    def __init__(self, **errors: dict[int, Exception]):
        self.errors = errors
        self.numbers = {"scores": 0, "answers": 0}

    async def identify(self) -> str:
        return "memory"

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def complete(self, request: Request) -> list[Completion]:
        self._raise("answers")
        prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1][1]
        self._check(prompt)
        return [Completion(label_by_reading(prompt))]

    async def score(self, prompt: Any, continuation: str) -> list[float]:
        self._raise("scores")
        text = prompt if isinstance(prompt, str) else prompt[-1][1]
        self._check(text)
        digest = hashlib.sha256(f"{text}{continuation}".encode()).digest()
        return [-digest[0] / 100]

    async def score_many(self, pairs: Any) -> list[list[float]]:
        return await score_each(self, pairs)

    def _raise(self, what: str) -> None:
        self.numbers[what] += 1
        error = self.errors.get(what, {}).get(self.numbers[what])
        if error:
            raise error

    def _check(self, prompt: str) -> None:
        if len(prompt) > FAR_TOO_LONG:
            raise ContextExceeded(f"the prompt has {len(prompt)} characters")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run with an engine into a folder; its files' bytes and its statistics."""

    def run(name: str, engine: Engine, **settings: Any) -> tuple[dict[str, bytes], dict[str, Any]]:
        monkeypatch.setattr("datagen.teacher.settings.connect", lambda *_, **__: engine)
        out = tmp_path / name
        values = {
            "teacher": "openai:memory",
            "format": "arrow",
            "queries": 4,
            "strategy": "teacher",
            "shots": "3",
            "considered": 5,
            "concurrency": 1,
            **settings,
        }
        run_demonstrations(DemonstrationSettings(str(write_tasks(tmp_path)), out=out, **values))
        files = {c: (out / f"{c}.parquet").read_bytes() for c in ("demonstrations", "rejected")}
        return files, json.loads((out / "stats.json").read_text())

    return run


def rejected(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(tmp_path / name / "rejected.parquet").to_pylist()


@pytest.mark.parametrize("strategy", ["teacher", "cone", "mdl"])
@pytest.mark.parametrize("number", [2, 9, 17])
def test_an_outage_while_candidates_are_scored_fails_that_query_alone(
    run, tmp_path, strategy, number
):
    whole, stats = run("whole", Engine(), strategy=strategy)
    assert stats["rejected"] == {}
    error = Unavailable("no answer after 9 attempts, the last: 500 the context is gone")
    _, stats = run("cut", Engine(scores={number: error}), strategy=strategy)
    assert stats["rejected"] == {"failed": 1}
    [row] = rejected(tmp_path, "cut")
    assert row["finish_reason"] == str(error)
    resumed, stats = run("cut", Engine(), strategy=strategy)
    assert stats["rejected"] == {}
    assert resumed == whole


def test_any_other_error_of_a_score_is_no_sign_of_length_either(run, tmp_path):
    _, stats = run("cut", Engine(scores={4: TeacherError("RuntimeError: context")}))
    assert stats["rejected"] == {"failed": 1}


def test_an_outage_while_the_query_is_asked_drops_no_demonstration(run, tmp_path):
    whole, _ = run("whole", Engine(), strategy="random")
    error = Unavailable("no answer: the maximum context length of the queue was reached")
    _, stats = run("cut", Engine(answers={3: error}), strategy="random")
    assert stats["rejected"] == {"failed": 1}
    resumed, _ = run("cut", Engine(), strategy="random")
    assert resumed == whole


def test_a_prompt_that_exceeds_the_context_is_shown_with_fewer_demonstrations(run, tmp_path):
    run("long", Engine(), strategy="random", shots="24")
    rows = pq.read_table(tmp_path / "long" / "demonstrations.parquet").to_pylist()
    assert rows
    for row in rows:
        text = row["prompt"][0]["content"]
        assert len(text) <= FAR_TOO_LONG
        assert 0 < row["k"] < 24
