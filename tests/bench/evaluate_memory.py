"""Peak memory of `train evaluate` with four models, against its peak with one of them.

    python tests/bench/evaluate_memory.py --models 4 --layers 8

Every model has its own random weights (100 million parameters in float32 with 8 layers). The peak
is that of the process, as the kernel counted it. The bench ends with status 1 where several models
take over 1.15 times the peak of one."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tiny import save_tiny_model

FLAT = 1.15
"""Two models at once would be 1.4 or more. Above 1, because activations vary from run to run."""


def save_model(folder: Path, layers: int, seed: int) -> str:
    """Save a model of 12.6 million parameters a layer, and return its spec."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(save_tiny_model(folder, context=512))
    config.update({"hidden_size": 1024, "intermediate_size": 2730, "num_hidden_layers": layers})
    config.head_dim = config.hidden_size // config.num_attention_heads
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return f"hf:{folder}"


def measure(specs: list[str], out: Path) -> tuple[float, float]:
    """Return the peak in MiB and the seconds of an evaluation of these models."""
    students = [f"model-{place}={spec}:direct" for place, spec in enumerate(specs)]
    words = ["--limit", "4", "--samples", "1", "--max_tokens", "4", "--out", str(out)]
    command = [sys.executable, "-m", "train.cli", "evaluate", "--students", *students, *words]
    begun = time.monotonic()
    # one arena: glibc keeps freed blocks for each thread, and batches are computed in several
    env = os.environ | {"MALLOC_ARENA_MAX": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"train evaluate ended with status {process.returncode}"
    return used.ru_maxrss / 1024, time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--layers", type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        specs = [save_model(folder / str(n), args.layers, n) for n in range(args.models)]
        size = (folder / "0" / "model.safetensors").stat().st_size / 2**20
        alone, seconds = measure(specs[:1], folder / "alone")
        print(f"1 model of {size:.0f} MiB: peak {alone:.0f} MiB, {seconds:.0f} s", flush=True)
        together, seconds = measure(specs, folder / "together")
    print(
        f"{args.models} such models: peak {together:.0f} MiB, {together / alone:.2f} times that of "
        f"one, {seconds:.0f} s"
    )
    return 0 if together <= FLAT * alone else 1


if __name__ == "__main__":
    raise SystemExit(main())
