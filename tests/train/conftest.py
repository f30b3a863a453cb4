"""A tiny base model, and a real published version to train it on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from datagen.cli import main as datagen
from datagen.rationales.settings import RationaleSettings
from datagen.schema import arrow_schema, assistant, content_id, user
from tests.tiny import save_tiny_model

ROWS = 24
QUESTIONS = 12


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random model with a context of 512 tokens."""
    return save_tiny_model(tmp_path_factory.mktemp("bases") / "tiny", context=512)


@pytest.fixture(scope="session")
def teacher(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model of the same tokenizer with other weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("teachers") / "teacher"
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn_like(weight)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


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
        pq.write_table(
            pa.Table.from_pylist(rows, schema=arrow_schema(config)), folder / f"{config}.parquet"
        )
    settings = vars(RationaleSettings(source="microworld", samples=1)) | {"out": None, "shots": []}
    del settings["teacher_topk"]  # as a run without it leaves it out
    described = {
        "format": 1,
        "method": "rationales",
        "code_version": "0.1.0",
        "teacher": {"name": "micro", "identity": "micro@0", "license": None},
        "source": {
            "suite": "microworld",
            "hub": None,
            "split": "train",
            "questions": ROWS,
            "sha256": "0" * 64,
        },
        "settings": settings,
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
    (folder / "config.json").write_text(json.dumps(described))
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


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `chains@1.0.0`: of question i, 1 + i % 3 right rationales, i % 4 wrong ones, and
    an answer."""
    run, store = tmp_path_factory.mktemp("chains-run"), tmp_path_factory.mktemp("chains-store")
    write_run(run)
    right, wrong, direct = [], [], []
    for i in range(QUESTIONS):
        a, b = 2 + i, 30 - 2 * i
        direct.append(answer(i, a, b, 0))
        right += [rationale(100 * i + k, a, b, 1 + k) for k in range(1 + i % 3)]
        for k in range(i % 4):
            row = rationale(100 * i + 50 + k, a, b, 1)
            total = str(a + b + 10 * k + 1)
            text = f"{a} and {b} make {total}. The answer is {total}."
            row |= {
                "completion": assistant(text),
                "rationale": text,
                "answer": total,
                "correct": False,
            }
            wrong.append(row | {"reason": "wrong" if k % 2 else "minority"})
    rejected = [
        *wrong,
        right[0] | {"reason": "redundant"},
        wrong[0] | {"reason": "truncated", "answer": None},
    ]
    write(run, {"rationales": right, "answers": direct, "rejected": rejected})
    assert datagen(["publish", str(run), "chains", "--store", str(store)]) == 0
    return store


def write(run: Path, configs: dict[str, list[dict[str, Any]]]) -> None:
    """Rows of a run in the place of those that are there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for config, rows in configs.items():
        pq.write_table(
            pa.Table.from_pylist(rows, schema=arrow_schema(config)), run / f"{config}.parquet"
        )
    stats = json.loads((run / "stats.json").read_text())
    stats["accepted"] = {
        config: len(rows) for config, rows in configs.items() if config != "rejected"
    }
    (run / "stats.json").write_text(json.dumps(stats))


@pytest.fixture(scope="session")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `episodes@1.0.0`: six queries, each with five scored candidates, of which one is
    shown nowhere."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    run, store = tmp_path_factory.mktemp("episodes-run"), tmp_path_factory.mktemp("episodes-store")
    write_run(run)
    for old in run.glob("*.parquet"):
        old.unlink()
    shown = [
        {"id": f"d{i}", "input": "abc"[: 1 + i % 3], "output": "xyz"[i % 3] * (1 + i), "score": 0.0}
        for i in range(5)
    ]
    rows = [
        {
            "id": f"e{n}",
            "method": "demonstrations",
            "parents": [f"q{n}"],
            "task": "t",
            "family": "t",
            "kind": "meta-ict",
            "strategy": "teacher",
            "format": "arrow",
            "k": 1,
            "prompt": user(f"{shown[n % 5]['input']} -> {shown[n % 5]['output']}\n{'ab' * n} ->"),
            "completion": assistant("y" * (1 + n)),
            "demonstrations": [shown[n % 5]],
            "query": "ab" * n,
            "target": "y" * (1 + n),
            "prediction": "y",
            "correct": True,
            "generated": False,
            "finish_reason": "stop",
            "candidates": [{"id": f"d{i}", "score": math.sin(n + i)} for i in (0, 1, 2, 3, 4, 99)],
        }
        for n in range(6)
    ]
    for config, found in (("demonstrations", rows), ("rejected", [])):
        schema = arrow_schema(config, family="demonstrations")
        pq.write_table(pa.Table.from_pylist(found, schema=schema), run / f"{config}.parquet")
    stats = json.loads((run / "stats.json").read_text()) | {
        "accepted": {"demonstrations": 6},
        "rejected": {},
    }
    (run / "stats.json").write_text(json.dumps(stats))
    assert datagen(["publish", str(run), "episodes", "--store", str(store)]) == 0
    return store
