"""Peak memory of a training step of `train gkd` and of TRL's `GKDTrainer`, on the same rows, in
multiples of the logits of the batch, [rows, length, vocabulary] in float32.

    python tests/bench/gkd_memory.py [--vocabulary 8192 49152 151936] [--batch 8]

The models are tiny but for their heads, so the logits decide the peak. It is what PyTorch's
allocator held at once in the step, above what it held before."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from datagen.cli import main as datagen
from tests.tiny import save_tiny_model
from tests.train.conftest import write_run

SETTINGS = {
    "lmbda": 0,
    "beta": 0.5,
    "max_steps": 1,
    "optim": "sgd",
    "save_strategy": "no",
    "disable_tqdm": True,
    "use_cpu": True,
    "gradient_checkpointing": False,
    "report_to": "none",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vocabulary", type=int, nargs="+", default=[8192, 49152, 151936])
    parser.add_argument("--batch", type=int, default=8)
    told = parser.parse_args()
    for vocabulary in told.vocabulary:
        with tempfile.TemporaryDirectory() as folder:
            before, after, unit = multiples(Path(folder), vocabulary, told.batch)
        print(
            f"{vocabulary} tokens, logits of {unit / 2**20:.0f} MiB: "
            f"TRL {before:.2f}, train gkd {after:.2f}",
            flush=True,
        )


def multiples(folder: Path, vocabulary: int, batch: int) -> tuple[float, float, int]:
    """Return the peaks of TRL's trainer and of ours, in logits, and the bytes of the logits."""
    for number, name in enumerate(("student", "teacher")):
        save_model(folder / name, vocabulary, seed=number)
    (folder / "run").mkdir()
    write_run(folder / "run")
    store = folder / "store"
    assert datagen(["publish", str(folder / "run"), "sums", "--store", str(store)]) == 0
    ours, theirs = own_trainer(folder, store, batch), trl_trainer(folder, store, batch)
    unit = 4 * vocabulary * size_of_batch(ours, batch)
    return peak_of(theirs.train) / unit, peak_of(ours.train) / unit, unit


def save_model(folder: Path, vocabulary: int, *, seed: int) -> None:
    """Write a tiny model whose head has this many rows."""
    from transformers import AutoModelForCausalLM

    save_tiny_model(folder, context=512)
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(seed)
    model.resize_token_embeddings(vocabulary, mean_resizing=False)
    model.save_pretrained(folder)


def own_trainer(folder: Path, store: Path, batch: int) -> Any:
    from train.gkd import build, parse_gkd

    values = SETTINGS | {
        "model": folder / "student",
        "teacher_model_name_or_path": folder / "teacher",
        "dataset": "sums@1.0.0",
        "store": store,
        "limit": batch,
        "per_device_train_batch_size": batch,
        "output_dir": folder / "ours",
        "max_new_tokens": 8,
    }
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return build(*parse_gkd(words))


def trl_trainer(folder: Path, store: Path, batch: int) -> Any:
    """TRL's own trainer on the same rows."""
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    rows = load_dataset(str(store / "sums" / "1.0.0"), "rationales", split="train")
    rows = rows.select(range(batch)).map(
        lambda row: {"messages": row["prompt"] + row["completion"]},
        remove_columns=rows.column_names,
    )
    config = GKDConfig(
        output_dir=str(folder / "trl"), per_device_train_batch_size=batch, bf16=False, **SETTINGS
    )
    return GKDTrainer(
        model=str(folder / "student"),
        teacher_model=AutoModelForCausalLM.from_pretrained(folder / "teacher"),
        args=config,
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(folder / "student", padding_side="left"),
    )


def size_of_batch(trainer: Any, batch: int) -> int:
    """Return rows times length of the longest row, as TRL's batch has them."""
    from datagen.teacher.tokens import row_tokens

    rows = [row_tokens(row, trainer.tokenizer) for row in trainer.train_dataset]
    return batch * max(len(prompt) + len(completion) for prompt, completion in rows)


def peak_of(work: Callable[[], Any]) -> int:
    """Return the most bytes that the allocator held at once above what it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    assert profiler.profiler is not None
    events = profiler.profiler.kineto_results.events()
    moves = sorted(
        (event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"
    )
    held = most = 0
    for _, size in moves:
        held += size
        most = max(most, held)
    return most


if __name__ == "__main__":
    main()
