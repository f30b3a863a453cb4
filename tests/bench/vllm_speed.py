"""Tokens a second of a rationales run on vLLM (journal and rows on disk) against bare `LLM.generate`, same prompts.

    python tests/bench/vllm_speed.py [--questions 200] [--samples 8] [--rounds 2]      # in an environment with vLLM

The arms take turns, every one in a process of its own, after a warm-up of eight prompts; loading is not counted.
"""

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

from datagen.microworld import WEIGHTS
from datagen.rationales.generate import describe, distil
from datagen.rationales.prompts import Prompts
from datagen.rationales.settings import RationaleSettings
from datagen.rationales.statistics import statistics as told
from datagen.run import Run
from datagen.suites import SUITES, load
from datagen.teacher import Request, Sampling, connect

SAMPLING = Sampling(temperature=0.8, max_tokens=220)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--arm", choices=ARMS, help="run one and print its tokens a second")
    args = parser.parse_args()
    if args.arm:
        print(json.dumps(ARMS[args.arm](args.questions, args.samples)))
        return
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for _ in range(args.rounds):
        for arm, rates in found.items():
            command = [sys.executable, __file__, "--arm", arm, "--questions", str(args.questions)]
            done = subprocess.run(
                [*command, "--samples", str(args.samples)], stdout=subprocess.PIPE, text=True, check=True
            )
            rates.append(float(done.stdout.strip().splitlines()[-1]))
            print(f"{arm:8} {rates[-1]:8,.0f} tokens/s", flush=True)
    datagen, *others = (statistics.median(found[arm]) for arm in ("datagen", "bare", "hf"))
    print("datagen / bare: {:.2f}; datagen / hf: {:.2f}".format(*(datagen / other for other in others)))


def bare(questions: int, samples: int) -> float:
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
    params = SamplingParams(n=samples, temperature=SAMPLING.temperature, max_tokens=SAMPLING.max_tokens, seed=0)
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": role, "content": text} for role, text in asked], add_generation_prompt=True, tokenize=False
        )
        for asked in map(Prompts(SUITES["microworld"], "chat", ()).ask, load("microworld", "train", limit=questions))
    ]
    llm.generate(prompts[:8], params, use_tqdm=False)
    started = time.monotonic()
    outputs = llm.generate(prompts, params, use_tqdm=False)
    tokens = sum(len(choice.token_ids) for output in outputs for choice in output.outputs)
    return tokens / (time.monotonic() - started)


def run(spec: str, questions: int, samples: int) -> float:
    return asyncio.run(_run(spec, questions, samples))


async def _run(spec: str, questions: int, samples: int) -> float:
    teacher, asked = connect(spec), load("microworld", "train", limit=questions)
    prompts = Prompts(SUITES["microworld"], "chat", ())
    settings = RationaleSettings("microworld", samples=samples, temperature=0.8, max_tokens=220, concurrency=256)
    await asyncio.gather(*(teacher.complete(Request(prompts.ask(q), n=samples, sampling=SAMPLING)) for q in asked[:8]))
    with tempfile.TemporaryDirectory() as folder, Run(Path(folder) / "run", {"method": "rationales"}) as it:
        started = time.monotonic()
        stats = await it.each(
            asked,
            partial(distil, prompts=prompts, settings=settings),
            teacher=teacher,
            describe=partial(describe, prompts=prompts),
            statistics=told,
            concurrency=256,
        )
        return float(stats["completion_tokens"]) / (time.monotonic() - started)


ARMS = {
    "bare": bare,
    "datagen": partial(run, f"vllm:{WEIGHTS / 'teacher'}?max_model_len=512&gpu_memory_utilization=0.3"),
    "hf": partial(run, "micro"),
}

if __name__ == "__main__":
    main()
