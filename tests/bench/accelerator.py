"""Tokens/s, peak memory and utilisation of `train sft`, `train kd` and `train gkd` against bare
TRL, random weights.

    python -m tests.bench.accelerator  # one GPU, bf16, students of 0.5B and 1.5B
    python -m tests.bench.accelerator --sizes tiny --teacher tiny --device cpu --tokens 256 --steps 4

Llamas of the shapes of Qwen2.5, with its vocabulary of 151,936; the tokens are the micro-world's.
Each arm trains in a process of its own, the arms in another order each round; told are medians over
the rounds. Rows are micro-world problems joined until they fill `--tokens`, prompt and completion
together. Tokens/s leaves the first steps out. Bare TRL has no loss of stored probabilities: the arm
to hold `train kd` against is GKD at λ = 0, whose teacher lives. At λ = 1 a token that the student
writes counts as one."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

SIZES = {
    "0.5B": {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
    },
    "1.5B": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    },
}
VOCABULARY = {"tiny": 1024}
ARMS = (
    "trl sft",
    "train sft",
    "train sft answer",
    "train kd",
    "trl gkd 0",
    "train gkd 0",
    "trl gkd 1",
    "train gkd 1",
)
OWN = ("trl gkd 1", "train gkd 1")
"""Whose completions are the student's own, of NEW_TOKENS each: random weights end none early."""
NEW_TOKENS = 128
WARM_UP = 0.2
"""Share of the steps that is not timed."""


def main() -> None:
    told = flags()
    if told.arm:
        print(json.dumps(measure(told.arm, told.sizes[0], told)))
        return
    with tempfile.TemporaryDirectory() as folder:
        told.folder = Path(folder)
        prepare(told)
        for size in told.sizes:
            show(size, rounds(size, told), told)


def flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", nargs="+", choices=SIZES, default=["0.5B", "1.5B"], help="of the student"
    )
    parser.add_argument("--teacher", choices=SIZES, default="1.5B")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tokens", type=int, default=512, help="of a row")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def rounds(size: str, told: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """What each arm measured in each round."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in told.arms}
    for number in range(told.rounds):
        for arm in Random(number).sample(told.arms, len(told.arms)):
            command = [
                sys.executable,
                "-m",
                "tests.bench.accelerator",
                *sys.argv[1:],
                "--sizes",
                size,
                "--arm",
                arm,
            ]
            done = subprocess.run(
                [*command, "--folder", str(told.folder)], stdout=subprocess.PIPE, check=True
            )
            found[arm].append(json.loads(done.stdout.splitlines()[-1]))
            print(
                f"round {number + 1}, {size}, {arm}: {found[arm][-1]}", file=sys.stderr, flush=True
            )
    return found


def show(size: str, found: dict[str, list[dict[str, float]]], told: argparse.Namespace) -> None:
    print(
        f"{size}, teacher {told.teacher}, {told.batch} rows of {told.tokens} tokens, bf16: "
        f"medians of {told.rounds}\n"
    )
    print("| arm | tokens/s | peak memory, GiB | GPU in use |\n|---|---|---|---|")
    for arm, measured in found.items():
        speed, peak, use = (
            statistics.median(one[what] for one in measured) for what in ("speed", "peak", "use")
        )
        print(f"| {arm} | {speed:,.0f} | {peak / 2**30:.2f} | {use:.0f}% |", flush=True)
    print()


def prepare(told: argparse.Namespace) -> None:
    """Models, rows, and the teacher's probabilities of these."""
    from datagen.cli import main as datagen

    for size in {*told.sizes, told.teacher}:
        save_model(size, told.folder / size)
    publish(told.folder, told.rows, told.tokens)
    teacher, out, store = (
        f"hf:{told.folder / told.teacher}",
        str(told.folder / "topk"),
        str(told.folder / "store"),
    )
    assert datagen(["topk", str(told.folder / "run"), "--teacher", teacher, "--out", out]) == 0
    assert datagen(["publish", out, "rows", "--store", store]) == 0


def save_model(size: str, folder: Path) -> None:
    """Random weights of this shape, with the micro-world's tokenizer; heads share keys as Qwen2.5's
    do."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from datagen.microworld import WEIGHTS

    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "student")
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    rows = VOCABULARY.get(size, 151_936)
    config = LlamaConfig(
        vocab_size=rows, num_key_value_heads=2, tie_word_embeddings=True, **ends, **SIZES[size]
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def publish(folder: Path, rows: int, tokens: int) -> None:
    """A finished run in `run`: problems joined until the tokens of a row are full, to the
    problem."""
    from transformers import AutoTokenizer

    from datagen.microworld import WEIGHTS
    from datagen.microworld.problems import problems
    from datagen.schema import assistant, user
    from datagen.teacher.tokens import row_tokens
    from tests.train.conftest import rationale, write, write_run

    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "student")
    run, made, source = folder / "run", [], iter(problems("train", 64 * rows, seed=0))
    run.mkdir()
    write_run(run)
    for number in range(rows):
        row = rationale(number, number, 0, 1)
        texts: list[Any] = []
        while True:
            texts.append(next(source))
            chain = " ".join(p.rationale for p in texts)
            longer = {
                "prompt": user(" ".join(p.question for p in texts[:4])),
                "completion": assistant(chain),
                "rationale": chain,
                "answer": texts[-1].answer,
                "gold": texts[-1].answer,
            }
            if len(texts) > 1 and sum(map(len, row_tokens(longer, tokenizer))) > tokens:
                break
            row |= longer
        made.append(row)
    write(run, {"rationales": made, "rejected": made[:1]})


def measure(arm: str, size: str, told: argparse.Namespace) -> dict[str, float]:
    """One training in this process: tokens per second, peak bytes, mean percentage of the time that
    the GPU works."""
    import torch
    from transformers import TrainerCallback

    times = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if told.device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter())

    trainer = build(arm, size, told)
    trainer.add_callback(Clock())
    with utilisation(told.device) as samples:
        trainer.train()
    first = int(WARM_UP * told.steps)
    seconds = (times[-1] - times[first]) / (len(times) - 1 - first)
    used = samples[int(WARM_UP * len(samples)) :]
    cuda = told.device == "cuda"
    peak = (
        torch.cuda.max_memory_allocated()
        if cuda
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    use = statistics.mean(used) if used else float("nan")
    return {"speed": tokens_of_step(arm, trainer, told) / seconds, "peak": peak, "use": use}


@contextmanager
def utilisation(device: str) -> Iterator[list[float]]:
    """Percentages of the time, five samples a second; complete when the block ends."""
    samples: list[float] = []
    if device != "cuda":
        yield samples
        return
    query = [
        "nvidia-smi",
        "--query-gpu=utilization.gpu",
        "--format=csv,noheader,nounits",
        "-lms",
        "200",
    ]
    watch = subprocess.Popen(query, stdout=subprocess.PIPE, text=True)
    try:
        yield samples
    finally:
        watch.terminate()
        samples += [
            float(line) for line in watch.communicate()[0].splitlines() if line.strip().isdigit()
        ]


def build(arm: str, size: str, told: argparse.Namespace) -> Any:
    """The trainer of an arm: bare TRL from the configuration that the command parses."""
    from train import gkd, kd, sft

    (trl, kind), values = arm.split()[:2], settings(size, told)
    if kind == "kd":
        return kd.build(*kd.parse_kd(words(values)))
    if kind == "sft":
        values |= {"answer_weight": 0.5} if arm.endswith("answer") else {}
        parsed = sft.parse_sft(words(values))
        return bare_sft(*parsed[:3], told) if trl == "trl" else sft.build(*parsed)
    values |= {
        "teacher_model_name_or_path": told.folder / told.teacher,
        "lmbda": arm[-1],
        "max_new_tokens": NEW_TOKENS,
    }
    asked = gkd.parse_gkd(words(values))
    return bare_gkd(arm, asked[2], asked[3], told) if trl == "trl" else gkd.build(*asked)


def settings(size: str, told: argparse.Namespace) -> dict[str, Any]:
    """What all arms are told."""
    return {
        "model": told.folder / size,
        "dataset": "rows@1.0.0",
        "store": told.folder / "store",
        "output_dir": told.folder / "out",
        "max_steps": told.steps,
        "per_device_train_batch_size": told.batch,
        "max_length": told.tokens,
        "bf16": True,
        "use_cpu": told.device == "cpu",
        "save_strategy": "no",
        "logging_steps": told.steps,
        "disable_tqdm": True,
    }


def words(values: dict[str, Any]) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def bare_sft(_: Any, config: Any, model: Any, told: argparse.Namespace) -> Any:
    from trl import SFTTrainer

    from train.trainers.assemble import init_kwargs

    config.model_init_kwargs = init_kwargs(config, model)
    return SFTTrainer(model.model_name_or_path, args=config, train_dataset=dataset(told))


def bare_gkd(arm: str, config: Any, model: Any, told: argparse.Namespace) -> Any:
    """TRL's `DistillationTrainer` for the student's own completions, else its `GKDTrainer`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DistillationTrainer
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    from train.trainers.assemble import init_kwargs
    from train.trainers.gkd_rows import rows_for

    config.model_init_kwargs, config.teacher_model_init_kwargs = init_kwargs(config, model), None
    if arm not in OWN:
        both = {field.name for field in dataclasses.fields(GKDConfig) if field.init}
        shared = {name: value for name, value in vars(config).items() if name in both}
        config = GKDConfig(**shared, max_new_tokens=NEW_TOKENS)
    return (DistillationTrainer if arm in OWN else GKDTrainer)(
        model=model.model_name_or_path,
        args=config,
        train_dataset=rows_for("gkd" if arm in OWN else "gold", dataset(told)),
        processing_class=AutoTokenizer.from_pretrained(
            model.model_name_or_path, padding_side="left"
        ),
        teacher_model=AutoModelForCausalLM.from_pretrained(
            told.folder / told.teacher, dtype=torch.bfloat16
        ),
    )


def dataset(told: argparse.Namespace) -> Any:
    from datasets import load_dataset

    version = str(told.folder / "store" / "rows" / "1.0.0")
    return load_dataset(version, "rationales", split="train").select_columns(
        ["prompt", "completion"]
    )


def tokens_of_step(arm: str, trainer: Any, told: argparse.Namespace) -> float:
    """Mean tokens of a batch: prompts, and completions or what the student writes in their
    place."""
    from datagen.teacher.tokens import row_tokens

    lengths = [
        len(prompt) + (NEW_TOKENS if arm in OWN else len(completion))
        for prompt, completion in (
            row_tokens(row, trainer.processing_class) for row in dataset(told)
        )
    ]
    return told.batch * statistics.mean(lengths)


if __name__ == "__main__":
    main()
