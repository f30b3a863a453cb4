"""Students of every arm and seed: `python -m recipes.rationales.compare WHAT`.

All see the same number of tokens, but for the arms `…-long`, which see 5 million.

`train` makes the students that are not there yet; several may run at once (`--part 0/2`, `--part
1/2`). `names` lists them for `train evaluate --students`. `table` reads its report: mean accuracy
over the seeds with a 95% t interval."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import train
from datagen.microworld import WEIGHTS
from datagen.teacher.tokens import row_tokens
from recipes.rationales.arms import ARMS, COMMON, SEEDS, TOKENS, Arm

STUDENTS = Path("students/rationales")
REPORT = Path("reports/rationales/report.json")
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""The 97.5% point of Student's t, by degrees of freedom."""


def fit_arms(part: str, wanted: Sequence[str]) -> None:
    """Make the students that are not there yet, those that start from another arm last."""
    place, of = map(int, part.split("/"))
    chosen = [arm for arm in ARMS if not wanted or arm.name in wanted]
    jobs = [(arm, seed) for seed in range(SEEDS) for arm in chosen]
    jobs.sort(key=lambda job: bool(job[0].start))
    for arm, seed in jobs[place::of]:
        folder = STUDENTS / arm.name / str(seed)
        if not (folder / "seen.json").exists():
            fit_arm(arm, seed, folder)


def fit_arm(arm: Arm, seed: int, folder: Path) -> None:
    """Make one student, anew where it was cut off. The number of steps is what the tokens of a step
    make of the budget."""
    shutil.rmtree(folder, ignore_errors=True)
    settings = settings_of(arm, seed, folder)
    per_step = tokens_per_step(trainer_of(arm, settings | {"max_steps": 100}))
    steps = arm.steps or round(arm.tokens / per_step)
    fit = {"sft": train.fit_sft, "kd": train.fit_kd, "gkd": train.fit_gkd}[arm.command]
    start = time.monotonic()
    fit(**settings, max_steps=steps)
    seconds = round(time.monotonic() - start)
    seen = {"steps": steps, "tokens": round(steps * per_step), "seconds": seconds}
    (folder / "seen.json").write_text(json.dumps(seen) + "\n")
    print(arm.name, seed, json.dumps(seen), flush=True)


def settings_of(arm: Arm, seed: int, folder: Path) -> dict[str, Any]:
    """The arguments of `train.fit_sft` and its like, without the number of steps."""
    start = STUDENTS / arm.start / str(seed) if arm.start else WEIGHTS / "student"
    own = {"model": start, "output_dir": folder, "seed": seed, "max_length": arm.max_length}
    return {**COMMON, **own, **arm.flags}


def trainer_of(arm: Arm, settings: Mapping[str, Any]) -> Any:
    """The trainer that a function of `train` makes of these arguments, to look at its batches."""
    from train import gkd, kd, sft
    from train.api.training import values_of

    flags = dict(settings)
    if "teacher" in flags:
        flags["teacher_model_name_or_path"] = flags.pop("teacher")
    values = values_of(flags.pop("model"), flags.pop("data"), flags.pop("output_dir"), flags)
    if arm.command == "gkd":
        return gkd.build(*gkd.parse_gkd([], values))
    if arm.command == "kd":
        return kd.build(*kd.parse_kd([], values))
    return sft.build(*sft.parse_sft([], values))


def tokens_per_step(trainer: Any, batches: int = 20) -> float:
    """Mean over the first batches: tokens of prompts and completions, padding not counted. Where
    the student writes its own completions, those of the dataset are counted in their place."""
    found = list(islice(trainer.get_train_dataloader(), batches))
    return statistics.mean(tokens_in(batch, trainer.processing_class) for batch in found)


def tokens_in(batch: Any, tokenizer: Any) -> int:
    """Tokens of a batch, which `train gkd` reads as rows that have no tokens yet."""
    if isinstance(batch, list):
        return sum(len(part) for row in batch for part in row_tokens(row, tokenizer))
    return int(batch["attention_mask"].sum())


def names() -> str:
    """The students that there are, as `train evaluate --students` takes them."""
    folders = [
        (arm, seed, STUDENTS / arm.name / str(seed)) for arm in ARMS for seed in range(SEEDS)
    ]
    there = [
        (arm, seed, folder) for arm, seed, folder in folders if (folder / "seen.json").exists()
    ]
    return " ".join(f"{arm.name}-{seed}=hf:{folder}:{arm.mode}" for arm, seed, folder in there)


def table() -> None:
    """Accuracy and gap closed; and the difference in accuracy to `filtered`, or for those that see
    as much as it to `filtered-long`, paired by training seed."""
    [suite] = json.loads(REPORT.read_text())["suites"]
    found: dict[str, dict[str, Any]] = {}
    for model in suite["models"]:
        arm, _, seed = model["name"].rpartition("-")
        if model["role"] == "student":
            found.setdefault(arm, {})[seed] = model
    print(
        "| arm | seeds | steps | seen tokens | accuracy | minus filtered | gap closed |\n"
        + "|---" * 7
        + "|"
    )
    for arm in ARMS:
        if arm.name in found:
            print(
                line(
                    arm,
                    found[arm.name],
                    found["filtered" if arm.tokens == TOKENS else "filtered-long"],
                )
            )


def line(arm: Arm, students: dict[str, Any], filtered: dict[str, Any]) -> str:
    accuracy = {seed: student["greedy_accuracy"]["value"] for seed, student in students.items()}
    minus = [value - filtered[seed]["greedy_accuracy"]["value"] for seed, value in accuracy.items()]
    closed = [student["gap_closed"]["value"] for student in students.values()]
    cells = [
        arm.name,
        str(len(students)),
        *seen(arm, list(students)),
        interval(list(accuracy.values())),
        "" if students is filtered else interval(minus),
        interval(closed),
    ]
    return f"| {' | '.join(cells)} |"


def seen(arm: Arm, seeds: Sequence[str]) -> tuple[str, str]:
    """Steps of the first seed and mean tokens, as the table says them: on top of another arm's, or
    not counted where the student wrote its own."""
    told = [json.loads((STUDENTS / arm.name / seed / "seen.json").read_text()) for seed in seeds]
    tokens = statistics.mean(one["tokens"] for one in told)
    more = " more" if arm.start else ""
    own = arm.command == "gkd" and arm.flags["lmbda"] > 0
    return f"{told[0]['steps']}{more}", "not counted" if own else f"{tokens:,.0f}{more}"


def interval(values: Sequence[float]) -> str:
    """Mean and 95% t interval over seeds, as they are printed."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = T_975[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "names", "table"))
    parser.add_argument(
        "--part", default="0/1", help="a share of the students: 0/2 is every second one"
    )
    parser.add_argument("--arms", nargs="*", default=[], help="only these; all by default")
    settings = parser.parse_args()
    os.environ.setdefault("EMERGENT_STORE", "datasets/rationales")
    if settings.what == "train":
        fit_arms(settings.part, settings.arms)
    elif settings.what == "names":
        print(names())
    else:
        table()


if __name__ == "__main__":
    main()
