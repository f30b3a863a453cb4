"""A finished run of each family, its rows drawn by a seed and written with the real schemas."""

import json
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from datagen.schema import FAMILIES, arrow_schema, assistant, content_id, user

METHODS = {
    "rationales": "rationales",
    "instructions": "self-instruct",
    "demonstrations": "demonstrations",
}
SETTINGS = {
    "rationales": {
        "samples": 7,
        "temperature": 0.65,
        "answer_type": "number",
        "shots": [["1 + 1?", "It is 2."]],
    },
    "instructions": {
        "similarity": 0.71,
        "language": "en",
        "style": "chat",
        "templates": {},
        "max_tokens": 913,
    },
    "demonstrations": {
        "shots": [1, 2, 16],
        "format": "qa",
        "prompt_style": "chat",
        "describe": "instead",
        "generate": 0,
    },
}
REASONS = ("wrong", "similar", "truncated")


def run_of(
    folder: Path, family: str, *, kept: int = 1234, rejected: int = 321, text: str = ""
) -> Path:
    folder.mkdir(parents=True)
    rng = Random(f"run:{family}")
    first, *others = FAMILIES[family]
    write(folder, first, family, [row(family, rng, text) for _ in range(kept)])
    for config in others:
        write(folder, config, family, [row(family, rng, text) for _ in range(kept // 3)])
    left = [row(family, rng, text) | {"reason": rng.choice(REASONS)} for _ in range(rejected)]
    write(folder, "rejected", family, left)
    accepted = {first: kept, **dict.fromkeys(others, kept // 3)}
    (folder / "config.json").write_text(json.dumps(configuration(family)))
    (folder / "stats.json").write_text(json.dumps(statistics(family, accepted, left)))
    return folder


def write(folder: Path, config: str, family: str, rows: list) -> None:
    schema = arrow_schema(config, family=family)
    pq.write_table(
        pa.Table.from_pylist(rows, schema=schema), folder / f"{config}.parquet", row_group_size=100
    )


def row(family: str, rng: Random, text: str) -> dict:
    question, answer = (
        f"What is {rng.randrange(10**6)} plus 1?",
        text or " ".join(["so"] * rng.randrange(1, 90)),
    )
    number = rng.randrange(1, 9)
    own = {
        "rationales": {
            "question": question,
            "answer": str(number),
            "gold": "3",
            "agreement": number / 8,
        },
        "instructions": {
            "instruction": question,
            "nearest_similarity": rng.random(),
            "output": answer,
        },
        "demonstrations": {"task": "sums", "k": number, "query": question},
    }
    common = {"method": METHODS[family], "prompt": user(question), "completion": assistant(answer)}
    return {"id": content_id(question, answer), **common, **own[family]}


def configuration(family: str) -> dict:
    source = {"suite": "sums", "hub": None, "split": "train", "questions": 987, "sha256": "ab" * 32}
    if family == "demonstrations":
        source = {
            "suite": "mine",
            "hub": None,
            "split": None,
            "tasks": ["sums"],
            "held_out": [],
            "questions": 876,
            "sha256": "cd" * 32,
        }
    return {
        "format": 4,
        "method": METHODS[family],
        "code_version": "0.1.0",
        "teacher": {
            "name": "openai:m",
            "identity": "openai:m@http://127.0.0.1/v1",
            "license": None,
        },
        "source": source,
        "settings": SETTINGS[family] | {"seed": 5},
    }


def statistics(family: str, accepted: dict, rejected: list) -> dict:
    own: dict = {
        "rationales": {
            "samples": 6.5,
            "agreement": {"mean": 0.6543, "histogram": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]},
            "accuracy": {"questions": 987, "single": 0.4321, "majority": 0.5678, "solved": 0.8765},
        },
        "instructions": {"operations": {"paraphrase": {"tried": 765, "kept": 543}}},
        "demonstrations": {
            "accuracy": {
                str(k): {"accuracy": 0.25 + k / 32, "episodes": 400 + k} for k in (1, 2, 16)
            },
        },
    }
    return {
        "finished": True,
        "questions": 987,
        "accepted": accepted,
        "rejected": {
            reason: sum(row["reason"] == reason for row in rejected) for reason in REASONS
        },
        "answers": 6909,
        "prompt_tokens": 123456,
        "completion_tokens": 654321,
        "cost": 0.000312,
        "currency": "usd",
        **own[family],
        "seconds": 1.0,
        "code_commit": "d9" * 20,
    }
