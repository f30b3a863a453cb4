"""Steps per second of `train sft` against TRL's bare `SFTTrainer`: the same rows, settings and
base, in turns.

    python -m tests.bench.sft_overhead --steps 40 --rounds 5

Each arm trains for `--steps` steps in every round, the arms in another order each time; what is
compared are the medians of CPU seconds a step (wall-clock beside it: other work on the machine
counts in that). Rows are the micro-world's own problems with their rationales, the base is the
micro-world's student."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--steps", type=int, default=40)
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--rows", type=int, default=400)
    flags.add_argument("--batch", type=int, default=16)
    flags.add_argument(
        "--losses", nargs="*", default=["answer_weight=0.5"], help="a third arm with these losses"
    )
    told = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trainers = arms(Path(folder), told)
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in trainers}
        for number in range(told.rounds + 1):  # the first round warms up
            for name in Random(number).sample(list(trainers), len(trainers)):
                seconds = timed(trainers[name])
                spent[name] += [seconds] if number else []
    show(spent, told.steps)


def arms(folder: Path, told: argparse.Namespace) -> dict[str, Any]:
    """The trainers, each with a model of its own."""
    from datasets import load_dataset
    from trl import SFTTrainer

    from datagen.microworld import WEIGHTS
    from train.sft import build, parse_sft

    store = publish(folder, told.rows)
    words = [
        "--model",
        str(WEIGHTS / "student"),
        "--dataset",
        "problems@1.0.0",
        "--store",
        str(store),
    ]
    words += [
        "--max_steps",
        str(told.steps),
        "--per_device_train_batch_size",
        str(told.batch),
        "--max_length",
        "384",
    ]
    words += [
        "--save_strategy",
        "no",
        "--disable_tqdm",
        "true",
        "--logging_steps",
        "10",
        "--output_dir",
        str(folder),
    ]
    losses = [
        word for loss in told.losses for word in (f"--{loss.split('=')[0]}", loss.split("=")[1])
    ]
    _, config, _, _ = parse_sft(words)
    rows = load_dataset(str(store / "problems" / "1.0.0"), "rationales", split="train")
    bare = SFTTrainer(
        str(WEIGHTS / "student"),
        args=config,
        train_dataset=rows.select_columns(["prompt", "completion"]),
    )
    found = {"bare SFTTrainer": bare, "train sft": build(*parse_sft(words))}
    return found | (
        {f"train sft --{' --'.join(told.losses)}": build(*parse_sft([*words, *losses]))}
        if losses
        else {}
    )


def publish(folder: Path, rows: int) -> Path:
    """A store with `problems@1.0.0`."""
    from datagen.cli import main as datagen
    from datagen.microworld.problems import problems
    from datagen.microworld.prompts import RATIONALE_SUFFIX
    from datagen.schema import assistant, user
    from tests.train.conftest import rationale, write, write_run

    run, store = folder / "run", folder / "store"
    run.mkdir()
    write_run(run)
    made = [
        rationale(i, i, 0, 1)
        | {"prompt": user(p.question + RATIONALE_SUFFIX), "completion": assistant(p.rationale)}
        | {"rationale": p.rationale, "answer": p.answer, "gold": p.answer}
        for i, p in enumerate(problems("train", rows, seed=0))
    ]
    write(run, {"rationales": made, "rejected": made[:1]})
    assert datagen(["publish", str(run), "problems", "--store", str(store)]) == 0
    return store


def timed(trainer: Any) -> tuple[float, float]:
    """CPU and wall-clock seconds of one training."""
    cpu, wall = time.process_time(), time.monotonic()
    trainer.train()
    return time.process_time() - cpu, time.monotonic() - wall


def show(spent: dict[str, list[tuple[float, float]]], steps: int) -> None:
    medians = {
        name: [statistics.median(kind) for kind in zip(*of, strict=True)]
        for name, of in spent.items()
    }
    base = medians["bare SFTTrainer"]
    for name, (cpu, wall) in medians.items():
        overhead = [
            f"{100 * (mine / bare - 1):+.1f}%" for mine, bare in zip((cpu, wall), base, strict=True)
        ]
        print(
            f"{name}: {1000 * cpu / steps:.1f} ms CPU a step ({overhead[0]}), "
            f"{steps / wall:.2f} steps/s "
            f"(time {overhead[1]}), of {len(spent[name])} rounds"
        )


if __name__ == "__main__":
    main()
