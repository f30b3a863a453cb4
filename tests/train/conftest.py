"""A tiny base model, and a real published version to train it on."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from datagen.cli import main as datagen
from datagen.rationales.settings import RationaleSettings
from datagen.schema import arrow_schema, assistant, content_id, user
from tests.tiny import save_tiny_model

ROWS = 24


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random model with a context of 512 tokens."""
    return save_tiny_model(tmp_path_factory.mktemp("bases") / "tiny", context=512)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds `sums@1.0.0`: 24 rationales and 24 answers."""
    run, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    write_run(run)
    assert datagen(["publish", str(run), "sums", "--store", str(store)]) == 0
    return store


def write_run(folder: Path) -> None:
    """A finished run of short sums, as `datagen rationales` leaves one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = Random("sums")
    sums = [(rng.randint(2, 20), rng.randint(2, 20), rng.randint(1, 6)) for _ in range(ROWS)]
    for config, rows in {
        "rationales": [rationale(i, *numbers) for i, numbers in enumerate(sums)],
        "answers": [answer(i, *numbers) for i, numbers in enumerate(sums)],
        "rejected": [rationale(0, 1, 1, 1) | {"reason": "wrong"}],
    }.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(config)), folder / f"{config}.parquet")
    config = {
        "format": 1,
        "method": "rationales",
        "code_version": "0.1.0",
        "teacher": {"name": "micro", "identity": "micro@0", "license": None},
        "source": {"suite": "microworld", "split": "train", "questions": ROWS, "sha256": "0" * 64},
        "settings": vars(RationaleSettings(source="microworld", samples=1)) | {"out": None, "shots": []},
    }
    stats: dict[str, Any] = {
        "finished": True,
        "questions": ROWS,
        "accepted": {"rationales": ROWS, "answers": ROWS},
        "rejected": {"wrong": 1},
        "answers": ROWS,
        "samples": 1.0,
        "requests": ROWS,
        "prompt_tokens": 100,
        "completion_tokens": 100,
        "seconds": 1.0,
        "agreement": {"mean": 1.0, "histogram": [0] * 9 + [ROWS]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "stats.json").write_text(json.dumps(stats))


def answer(number: int, a: int, b: int, times: int) -> dict[str, Any]:
    """One row; `times` lengthens its chain, so that rows differ in length."""
    question, total = f"Tom has {a} apples and finds {b}.", str(a + b)
    return {
        "id": content_id(number, a, b),
        "method": "rationales",
        "parents": [content_id(question)],
        "prompt": user(question),
        "completion": assistant(f"The answer is {total}."),
        "question": question,
        "answer": total,
        "gold": total,
        "agreement": 1.0,
    }


def rationale(number: int, a: int, b: int, times: int) -> dict[str, Any]:
    chain = f"{a} + {b} = {a + b}. " * times + f"The answer is {a + b}."
    return answer(number, a, b, times) | {
        "completion": assistant(chain),
        "rationale": chain,
        "votes": 1,
        "samples": 1,
        "chain": 0,
        "correct": True,
        "tied": False,
        "hinted": False,
        "mean_logprob": None,
        "finish_reason": "stop",
    }
