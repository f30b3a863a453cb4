"""Tokens a second of the hf engine against `model.generate` on the same prompts, in one run, in
turn.

python tests/bench/decode.py --model MODEL_FOLDER [--prompts 64] [--samples 8] [--repeats 3]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import torch

from datagen.microworld import WEIGHTS
from datagen.suites import SUITES, load, rationale_prompt
from datagen.teacher import Request, Sampling
from datagen.teacher.local.hf import HfTeacher


def engine(args: argparse.Namespace, prompts: list[str]) -> tuple[int, float]:
    async def go() -> int:
        teacher = HfTeacher(args.model, name="bench", batch_rows=args.rows)
        await teacher.open()
        sampling = Sampling(temperature=0.8, max_tokens=args.max_tokens)
        requests = [
            Request((("user", prompt),), n=args.samples, sampling=sampling) for prompt in prompts
        ]
        answers = await asyncio.gather(*(teacher.complete(request) for request in requests))
        return sum(completion.tokens for found in answers for completion in found)

    start = time.perf_counter()
    tokens = asyncio.run(go())
    return tokens, time.perf_counter() - start


def generate(args: argparse.Namespace, prompts: list[str]) -> tuple[int, float]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    start = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    tokens, batch = 0, args.rows // args.samples
    for first in range(0, len(prompts), batch):
        turns = [[{"role": "user", "content": prompt}] for prompt in prompts[first : first + batch]]
        texts = [
            tokenizer.apply_chat_template(t, tokenize=False, add_generation_prompt=True)
            for t in turns
        ]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            output = model.generate(
                input_ids=inputs.input_ids,
                attention_mask=inputs.attention_mask,
                do_sample=True,
                temperature=0.8,
                top_k=0,
                num_return_sequences=args.samples,
                max_new_tokens=args.max_tokens,
            )
        new = output[:, inputs.input_ids.shape[1] :]
        tokens += int((new != tokenizer.pad_token_id).sum())
    return tokens, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=str(WEIGHTS / "teacher"))
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--rows", type=int, default=256, help="sequences in a batch, for both")
    parser.add_argument("--max_tokens", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    questions = load("microworld", "test", limit=args.prompts)
    prompts = [rationale_prompt(question, SUITES["microworld"]) for question in questions]
    rates: dict[str, list[float]] = {"engine": [], "generate": []}
    engine(args, prompts[:1])  # the imports, uncounted
    for _ in range(args.repeats):
        for name, run in (("engine", engine), ("generate", generate)):
            tokens, seconds = run(args, prompts)
            rates[name].append(tokens / seconds)
            print(
                f"{name:9} {tokens:,} tokens in {seconds:.1f} s: {rates[name][-1]:,.0f} tokens/s",
                flush=True,
            )
    ratio = statistics.median(
        a / b for a, b in zip(rates["engine"], rates["generate"], strict=True)
    )
    print(f"engine / generate, median of {args.repeats}: {ratio:.2f}")


if __name__ == "__main__":
    main()
