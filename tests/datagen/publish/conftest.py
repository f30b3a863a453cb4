"""Finished run folders, made of rows written with the real schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.schema import arrow_schema, assistant, content_id, user


def row(number: int, text: str = "") -> dict[str, Any]:
    chain = text or f"{number} + 1 = {number + 1}. The answer is {number + 1}."
    return {
        "id": content_id(number, chain),
        "method": "rationales",
        "parents": [content_id(number)],
        "prompt": user(f"What is {number} plus 1?"),
        "completion": assistant(chain),
        "question": f"What is {number} plus 1?",
        "answer": str(number + 1),
        "gold": str(number + 1),
        "agreement": 0.75,
        "rationale": chain,
        "chain": 0,
    }


def make_run(
    folder: Path,
    *,
    rows: int = 5,
    text: str = "",
    method: str = "rationales",
    seconds: float = 1.0,
    rejected: int = 2,
) -> Path:
    folder.mkdir(parents=True)
    counts = {"rationales": rows, "answers": rows, "rejected": rejected}
    for config, number in counts.items():
        found = [row(i, text) | {"reason": "wrong"} for i in range(number)]
        pq.write_table(
            pa.Table.from_pylist(found, schema=arrow_schema(config)), folder / f"{config}.parquet"
        )
    config = {
        "format": 1,
        "method": method,
        "code_version": "0.1.0",
        "teacher": {
            "name": "openai:arith",
            "identity": "openai:arith@http://127.0.0.1/v1",
            "license": None,
        },
        "source": {
            "suite": "sums",
            "hub": None,
            "split": "train",
            "questions": 7,
            "sha256": "ab" * 32,
        },
        "settings": {"samples": 4, "temperature": 0.7, "seed": 0, "shots": []},
    }
    stats = {
        "finished": True,
        "questions": rows + rejected,
        "accepted": {"answers": rows, "rationales": rows},
        "rejected": {"wrong": rejected},
        "answers": 28,
        "prompt_tokens": 1234,
        "completion_tokens": 5678,
        "samples": 4.0,
        "agreement": {"mean": 0.75, "histogram": [0] * 7 + [7, 0, 0]},
        "accuracy": {"questions": 7, "single": 0.5, "majority": 0.6, "solved": 0.7},
        "seconds": seconds,
        "code_commit": None,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "stats.json").write_text(json.dumps(stats))
    return folder


@pytest.fixture
def run(tmp_path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    """A fresh store, and a fresh cache for `datasets`."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "store"
