"""Tokens a second of a rationales run on vLLM (journal and rows on disk) against bare
`LLM.generate`, same prompts.

    python tests/bench/vllm_speed.py [--questions 200] [--samples 8] [--rounds 2]

It needs an environment with vLLM.

The arms take turns, every one in a process of its own, after a warm-up of eight prompts. An
engine's start and end are not counted."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TypeAlias

from datagen.microworld import WEIGHTS
from datagen.rationales.chains import describe
from datagen.rationales.generate import distil
from datagen.rationales.prompts import Prompts
from datagen.rationales.settings import RationaleSettings
from datagen.rationales.statistics import statistics as told
from datagen.run import OpenRun
from datagen.suites import SUITES, load
from datagen.teacher import Request, Sampling, connect
from tests.datagen.configs import config_of

FOUND = "found: "
Speed: TypeAlias = tuple[float, float, float]
"""Tokens a second; CPU ms a token of the process that asks; and of all processes, the engine's
too."""
SAMPLING = Sampling(temperature=0.8, max_tokens=220)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--arm", choices=ARMS, help="run one and print its tokens a second")
    args = parser.parse_args()
    if args.arm:
        print(FOUND + json.dumps(ARMS[args.arm](args.questions, args.samples)), flush=True)
        return
    found: dict[str, list[Speed]] = {arm: [] for arm in ARMS}
    for number in range(args.rounds):
        for arm in list(ARMS)[:: 1 if number % 2 else -1]:
            found[arm].append(measure(arm, args.questions, args.samples))
            speed, asking, everything = found[arm][-1]
            print(
                f"{arm:8} {speed:8,.0f} tokens/s; CPU ms a token: {asking:.4f}, in all "
                f"{everything:.3f}",
                flush=True,
            )
    for what, place, sign in (("tokens/s", 0, 1), ("tokens a CPU second", 2, -1)):
        ours, bare, hf = (
            statistics.median(one[place] ** sign for one in found[a])
            for a in ("datagen", "bare", "hf")
        )
        print(f"{what}: datagen / bare {ours / bare:.2f}, datagen / hf {ours / hf:.2f}")


def measure(arm: str, questions: int, samples: int) -> Speed:
    command = [
        sys.executable,
        __file__,
        "--arm",
        arm,
        "--questions",
        str(questions),
        "--samples",
        str(samples),
    ]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith(FOUND))
    speed, asking, everything = json.loads(line.removeprefix(FOUND))
    return speed, asking, everything


class Clock:
    """Since it was made: seconds, and CPU seconds of this process and of all that it started."""

    def __init__(self) -> None:
        self.begun = self.read()

    def read(self) -> list[float]:
        import psutil

        me = psutil.Process()
        spent = [sum(process.cpu_times()[:2]) for process in [me, *me.children(recursive=True)]]
        return [time.monotonic(), spent[0], sum(spent)]

    def speed(self, tokens: int) -> Speed:
        seconds, asking, everything = (
            now - then for now, then in zip(self.read(), self.begun, strict=True)
        )
        return tokens / seconds, 1e3 * asking / tokens, 1e3 * everything / tokens


def bare(questions: int, samples: int) -> Speed:
    from transformers import AutoTokenizer
    from vllm import LLM, SamplingParams

    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "teacher")
    llm = LLM(
        str(WEIGHTS / "teacher"),
        max_model_len=512,
        enable_prefix_caching=True,
        enable_chunked_prefill=False,
        gpu_memory_utilization=0.3,
    )
    params = SamplingParams(
        n=samples, temperature=SAMPLING.temperature, max_tokens=SAMPLING.max_tokens, seed=0
    )
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": role, "content": text} for role, text in asked],
            add_generation_prompt=True,
            tokenize=False,
        )
        for asked in map(
            Prompts(SUITES["microworld"], "chat", ()).ask,
            load("microworld", "train", limit=questions),
        )
    ]
    llm.generate(prompts[:8], params, use_tqdm=False)
    clock = Clock()
    outputs = llm.generate(prompts, params, use_tqdm=False)
    tokens = sum(len(choice.token_ids) for output in outputs for choice in output.outputs)
    return clock.speed(tokens)


def run(spec: str, questions: int, samples: int) -> Speed:
    return asyncio.run(_run(spec, questions, samples))


async def _run(spec: str, questions: int, samples: int) -> Speed:
    teacher, asked = connect(spec), load("microworld", "train", limit=questions)
    prompts = Prompts(SUITES["microworld"], "chat", ())
    settings = RationaleSettings(
        "microworld", samples=samples, temperature=0.8, max_tokens=220, concurrency=256
    )
    await asyncio.gather(
        *(
            teacher.complete(Request(prompts.ask(q), n=samples, sampling=SAMPLING))
            for q in asked[:8]
        )
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        OpenRun(Path(folder) / "run", config_of("rationales")) as it,
    ):
        close, teacher.close = teacher.close, nothing  # type: ignore[method-assign]
        clock = Clock()
        stats = await it.each(
            asked,
            partial(distil, prompts=prompts, settings=settings),
            teacher=teacher,
            describe=partial(describe, prompts=prompts),
            statistics=told,
            concurrency=256,
        )
        speed = clock.speed(int(stats["completion_tokens"]))
        await close()
        return speed


async def nothing() -> None:
    """The engine's end takes vLLM five seconds on CPU; `LLM` spends them after the measurement."""


ARMS = {
    "bare": bare,
    "datagen": partial(
        run, f"vllm:{WEIGHTS / 'teacher'}?max_model_len=512&gpu_memory_utilization=0.3"
    ),
    "hf": partial(run, "micro"),
}

if __name__ == "__main__":
    main()
