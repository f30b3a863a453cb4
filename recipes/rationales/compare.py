"""Train and compare students of every arm and seed: `python -m recipes.rationales.compare WHAT`.

All students of a comparison see the same number of tokens. The arms `...-long` see 5 million.

`train` trains the students that are missing. Several processes can share the work (`--part 0/2` and
`--part 1/2`). `names` prints the students for `train evaluate --students`. `table` reads the report
of the evaluation: the mean accuracy over the seeds with a 95% t interval.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

from datagen.microworld import WEIGHTS
from recipes.rationales.arms import ARMS, COMMON, SEEDS, TOKENS, Arm

STUDENTS = Path("students/rationales")
REPORT = Path("reports/rationales/report.json")
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""The 97.5% point of Student's t distribution for each number of degrees of freedom."""


def train(part: str, wanted: Sequence[str]) -> None:
    """Train the students that are missing.

    Args:
        part: Which share of the students: "1/2" is every second one, from the second.
        wanted: The names of the arms. Empty for all.
    """
    place, of = map(int, part.split("/"))
    arms = [arm for arm in ARMS if not wanted or arm.name in wanted]
    jobs = [(arm, seed) for seed, arm in product(range(SEEDS), arms)]
    # Some arms train the students of another arm further, so these must be there first.
    jobs.sort(key=lambda job: bool(job[0].start))
    for arm, seed in jobs[place::of]:
        folder = STUDENTS / arm.name / str(seed)
        if not (folder / "seen.json").exists():
            train_one(arm, seed, folder)


def train_one(arm: Arm, seed: int, folder: Path) -> None:
    """Train one student. A training that was cut off begins again.

    The number of steps follows from the budget of tokens and from the tokens of a step.
    """
    shutil.rmtree(folder, ignore_errors=True)
    start = STUDENTS / arm.start / str(seed) if arm.start else WEIGHTS / "student"
    flags = {**COMMON, **arm.flags, "seed": seed, "max_length": arm.max_length}
    per_step = tokens_per_step(arm, start, folder, flags)
    steps = arm.steps or round(arm.tokens / per_step)

    began = time.monotonic()
    fit(arm.command, start, folder, {**flags, "max_steps": steps})
    seconds = round(time.monotonic() - began)

    seen = {"steps": steps, "tokens": round(steps * per_step), "seconds": seconds}
    (folder / "seen.json").write_text(json.dumps(seen) + "\n")
    print(arm.name, seed, json.dumps(seen), flush=True)


def fit(command: str, start: Path, folder: Path, flags: dict[str, Any]) -> None:
    """Train a student by one of the three ways."""
    import train as api

    functions = {"sft": api.fit_sft, "kd": api.fit_kd, "gkd": api.fit_gkd}
    rest = dict(flags)
    functions[command](start, data=rest.pop("dataset"), output_dir=folder, **rest)


def tokens_per_step(arm: Arm, start: Path, folder: Path, flags: dict[str, Any]) -> float:
    """Return the mean number of tokens in a batch, without padding.

    Returns 0 if the batches hold prompts alone, because the student writes the completions.
    """
    # The trainer is built for its batches only. Its steps decide how many rows it tokenises.
    trainer = build(arm.command, start, folder, {**flags, "max_steps": 100})
    batches = list(islice(trainer.get_train_dataloader(), 20))
    if isinstance(batches[0], list):
        return 0.0
    return statistics.mean(int(batch["attention_mask"].sum()) for batch in batches)


def build(command: str, start: Path, folder: Path, flags: dict[str, Any]) -> Any:
    """Return the trainer that `fit` would use."""
    from train import gkd, kd, sft

    values = {"model_name_or_path": str(start), "output_dir": str(folder), **flags}
    values = {name: value for name, value in values.items() if value is not None}
    if command == "gkd":
        values["teacher_model_name_or_path"] = values.pop("teacher")
        return gkd.build(*gkd.parse_gkd([], values))
    if command == "kd":
        return kd.build(*kd.parse_kd([], values))
    return sft.build(*sft.parse_sft([], values))


def names() -> str:
    """Return the students that are there, as `train evaluate --students` takes them."""
    return " ".join(
        f"{arm.name}-{seed}=hf:{folder}:{arm.mode}" for arm, seed, folder in finished_students()
    )


def finished_students() -> Iterator[tuple[Arm, int, Path]]:
    """Yield the students that are there: arm, seed and folder."""
    for arm, seed in product(ARMS, range(SEEDS)):
        folder = STUDENTS / arm.name / str(seed)
        if (folder / "seen.json").exists():
            yield arm, seed, folder


def table() -> None:
    """Print accuracy and gap closed of each arm, and the difference in accuracy to `filtered`.

    An arm with more tokens is compared with `filtered-long`. The differences are paired by seed.
    """
    [suite] = json.loads(REPORT.read_text())["suites"]
    found: dict[str, dict[str, Any]] = {}
    for model in suite["models"]:
        arm_name, _, seed = model["name"].rpartition("-")
        if model["role"] == "student":
            found.setdefault(arm_name, {})[seed] = model

    print("| arm | seeds | steps | seen tokens | accuracy | minus filtered | gap closed |")
    print("|---" * 7 + "|")
    for arm in ARMS:
        if arm.name in found:
            baseline = found["filtered" if arm.tokens == TOKENS else "filtered-long"]
            print(line(arm, found[arm.name], baseline))


def line(arm: Arm, students: dict[str, Any], filtered: dict[str, Any]) -> str:
    """Return the line of an arm.

    Args:
        arm: The arm.
        students: Its students in the report, by seed.
        filtered: The students with which they are compared, by seed.
    """
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
    """Return the steps and the mean number of tokens, as the table has them.

    "more" marks students that were trained further. Tokens that a student wrote are not counted.
    """
    files = [STUDENTS / arm.name / seed / "seen.json" for seed in seeds]
    counts = [json.loads(file.read_text()) for file in files]
    tokens = statistics.mean(count["tokens"] for count in counts)
    more = " more" if arm.start else ""
    writes = bool(arm.flags.get("lmbda"))
    return f"{counts[0]['steps']}{more}", "not counted" if writes else f"{tokens:,.0f}{more}"


def interval(values: Sequence[float]) -> str:
    """Return the mean of values over seeds as text, with its 95% t interval."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = T_975[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def main() -> None:
    """Parse the command line, and do what it asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "names", "table"))
    parser.add_argument(
        "--part", default="0/1", help="a share of the students; 0/2 is every second one"
    )
    parser.add_argument("--arms", nargs="*", default=[], help="only these arms; by default all")
    settings = parser.parse_args()
    os.environ.setdefault("EMERGENT_STORE", "datasets/rationales")
    if settings.what == "train":
        train(settings.part, settings.arms)
    elif settings.what == "names":
        print(names())
    else:
        table()


if __name__ == "__main__":
    main()
