"""`train kd` from stored top-k against `train gkd` at λ = 0 with the teacher in memory: steps/s,
loss, accuracy.

python tests/bench/kd_gkd.py [--dataset FOLDER] [--questions 400] [--steps 200] [--seeds 3] [--top
64]

Both arms in one process, in turns, same base, rows, batch sizes and seeds; forward KL at temperature 1
in both. Measured: steps/s (wall clock and CPU time) of training alone, then on rows that neither
saw the full divergence from the teacher (mean and 95% interval over rows), and accuracy on the
micro-world's test problems."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from datagen.cli import main as datagen
from datagen.microworld import WEIGHTS
from datagen.teacher.tokens import row_tokens
from train import gkd, kd
from train.evaluate.bootstrap import Bootstrap
from train.evaluate.command import evaluate
from train.evaluate.settings import EvaluateSettings

HELD_OUT = 100
"""Rows at the end of the dataset that are not trained on."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--dataset", help="a version's folder with teacher_topk; made where none is given"
    )
    parser.add_argument("--model", default=str(WEIGHTS / "student"))
    parser.add_argument("--teacher", default="micro")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--top", type=int, default=64)
    parser.add_argument("--problems", type=int, default=200)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        compare(args, Path(folder))


def compare(args: argparse.Namespace, folder: Path) -> None:
    version = args.dataset or made(args, folder)
    measured: dict[str, list[dict[str, float]]] = {"kd": [], "gkd": []}
    held = held_out(version)
    for seed in range(args.seeds):
        for arm in ("kd", "gkd") if seed % 2 == 0 else ("gkd", "kd"):
            measured[arm].append(one(arm, seed, version, held, args, folder))
    for name in ("wall", "cpu"):
        ratio = [a[name] / b[name] for a, b in zip(measured["kd"], measured["gkd"], strict=True)]
        print(
            f"steps/s {name}: kd over gkd {statistics.median(ratio):.2f} (median of {len(ratio)})"
        )


def made(args: argparse.Namespace, folder: Path) -> str:
    """A version of the teacher's own rationales, with its probabilities."""
    run, store = folder / "run", folder / "store"
    words = [
        "rationales",
        "microworld",
        "--limit",
        str(args.questions),
        "--samples",
        "4",
        "--teacher",
        args.teacher,
    ]
    assert datagen([*words, "--teacher-topk", str(args.top), "--out", str(run)]) == 0
    assert datagen(["publish", str(run), "bench", "--store", str(store)]) == 0
    return str(store / "bench" / "1.0.0")


def one(
    arm: str, seed: int, version: str, held: Any, args: argparse.Namespace, folder: Path
) -> dict[str, float]:
    out = folder / f"{arm}-{seed}"
    trainer = trainer_of(arm, seed, version, len(held), args, out)
    wall, cpu = time.perf_counter(), time.process_time()
    trainer.train()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    trainer.save_student()
    values = divergences(trainer.model, teacher_of(args), held, trainer.processing_class)
    kl = Bootstrap(2000, 0).mean(values)
    found = accuracy(out, args.problems) if args.problems else None
    told = f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" if found else "-"
    steps = {"wall": args.steps / wall, "cpu": args.steps / cpu}
    speed = f"{steps['wall']:.2f} steps/s ({steps['cpu']:.2f} of CPU)"
    print(
        f"{arm:>3} seed {seed}: {speed}, KL {kl.value:.4f} [{kl.low:.4f}, {kl.high:.4f}], "
        f"accuracy {told}",
        flush=True,
    )
    return steps


def trainer_of(
    arm: str, seed: int, version: str, held: int, args: argparse.Namespace, out: Path
) -> Any:
    from datasets import load_dataset

    rows = len(load_dataset(version, "rationales", split="train")) - held
    values = {
        "dataset": version,
        "limit": rows,
        "model": args.model,
        "output_dir": out,
        "max_steps": args.steps,
        "per_device_train_batch_size": args.batch,
        "learning_rate": 1e-3,
        "seed": seed,
        "save_strategy": "no",
        "disable_tqdm": True,
        "logging_steps": args.steps,
        "gradient_checkpointing": False,
    }
    if arm == "gkd":
        values |= {
            "lmbda": 0,
            "beta": 0,
            "teacher_model_name_or_path": args.teacher.removeprefix("hf:"),
        }
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return kd.build(*kd.parse_kd(words)) if arm == "kd" else gkd.build(*gkd.parse_gkd(words))


def held_out(version: str) -> Any:
    from datasets import load_dataset

    rows = load_dataset(version, "rationales", split="train")
    return (
        rows.select_columns(["prompt", "completion"])
        .select(range(len(rows) - HELD_OUT, len(rows)))
        .to_list()
    )


def teacher_of(args: argparse.Namespace) -> Any:
    from transformers import AutoModelForCausalLM

    from train.trainers.teacher import teacher_path

    return AutoModelForCausalLM.from_pretrained(
        teacher_path(args.teacher), dtype=torch.float32
    ).eval()


def divergences(student: Any, teacher: Any, rows: Any, tokenizer: Any) -> Any:
    """Mean forward KL of each row's completion over the whole vocabulary."""
    student.eval()
    found = []
    for row in rows:
        prompt, completion = row_tokens(row, tokenizer)
        ids = torch.tensor([prompt + completion], device=student.device)
        with torch.no_grad():
            t, s = (
                model.to(student.device)(input_ids=ids)
                .logits[0, len(prompt) - 1 : -1]
                .float()
                .log_softmax(-1)
                for model in (teacher, student)
            )
        known = min(t.shape[-1], s.shape[-1])  # one of the two may be padded
        t, s = t[:, :known], s[:, :known]
        found.append(float((t.exp() * (t - s)).sum(-1).mean()))
    return np.array(found)


def accuracy(student: Path, problems: int) -> Any:
    """Of greedy answers with a rationale, and its interval."""
    settings = EvaluateSettings(
        out=student / "report",
        students=(f"student=hf:{student}",),
        limit=problems,
        samples=0,
        max_tokens=160,
    )
    return evaluate(settings)["suites"][0]["models"][0]["greedy_accuracy"]


if __name__ == "__main__":
    main()
