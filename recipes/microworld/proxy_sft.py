"""Measure how much a student base can learn: `python -m recipes.microworld.proxy_sft BASE`.

It fine-tunes the base on gold rationales of training problems in the simplest way: padded batches,
fp32, AdamW. It prints the greedy accuracy on test problems before and after. A student that is
distilled from as many rationales can reach about this accuracy.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from random import Random

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from datagen.microworld import problems, prompts
from recipes.microworld.generation import chat
from recipes.microworld.probes import word_problems

Example = tuple[torch.Tensor, torch.Tensor]
"""Token ids and targets of a prompt with its completion."""


def main() -> None:
    """Measure, fine-tune, measure again, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("--chains", type=int, default=3500)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--direct", action="store_true", help="answers only")
    settings = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(settings.base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(settings.base)
    before = _accuracy(model, tokenizer, settings.questions)
    data = examples(tokenizer, settings.chains, direct=settings.direct)
    seconds = fine_tune(model, data, settings)
    after = _accuracy(model, tokenizer, settings.questions)
    figures = {"before": before, "after": after, "seconds": round(seconds)}
    print(json.dumps({"settings": vars(settings)} | figures))


def _accuracy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, n: int
) -> dict[str, float]:
    """Return the accuracy on `n` test problems, with a rationale and with the answer alone."""
    asked = problems.problems("test", n)
    suffixes = {"rationale": (prompts.RATIONALE_SUFFIX, 200), "direct": (prompts.DIRECT_SUFFIX, 12)}
    return {
        name: round(word_problems(model, tokenizer, asked, suffix=s, longest=m), 3)
        for name, (s, m) in suffixes.items()
    }


def examples(tokenizer: PreTrainedTokenizerFast, n: int, *, direct: bool = False) -> list[Example]:
    """Return `n` training problems with their gold rationales, or with their answers alone.

    The targets are -100 on the prompt, which the loss then ignores.
    """
    found = []
    for problem in problems.problems("train", n):
        suffix = prompts.DIRECT_SUFFIX if direct else prompts.RATIONALE_SUFFIX
        target = prompts.ANSWER.format(answer=problem.answer) if direct else problem.rationale
        prompt = tokenizer(chat(tokenizer, problem.question + suffix))["input_ids"]
        completion = tokenizer(target + "<|end|>")["input_ids"]
        found.append(
            (torch.tensor(prompt + completion), torch.tensor([-100] * len(prompt) + completion))
        )
    return found


def fine_tune(
    model: PreTrainedModel, data: Sequence[Example], settings: argparse.Namespace
) -> float:
    """Train the model, and return the seconds that it took."""
    started = time.monotonic()
    rng = Random("0:proxy")
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=0.01)
    total = settings.epochs * -(-len(data) // settings.batch)
    # 20 steps of warm-up, then a linear decay to zero.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 20, (total - step) / total)
    )
    model.train()
    for _ in range(settings.epochs):
        order = rng.sample(range(len(data)), len(data))
        for start in range(0, len(order), settings.batch):
            chosen = [data[i] for i in order[start : start + settings.batch]]
            ids = pad_sequence([ids for ids, _ in chosen], batch_first=True)
            targets = pad_sequence(
                [targets for _, targets in chosen], batch_first=True, padding_value=-100
            )
            logits = model(input_ids=ids).logits[:, :-1]
            loss = cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=-100)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
