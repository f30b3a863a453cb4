"""Measure a model of the micro-world on its test split: `python -m recipes.microworld.evaluate
MODEL --json OUT.json`.

It measures word problems by number of steps, with a rationale and with the answer alone. It
compares one sample with the majority of several. It measures rules by number of demonstrations, and
instructions by number of operations. The intervals are 95 % bootstrap intervals.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from datagen.microworld import instructions, problems, prompts, rules
from recipes.microworld.generation import final_number, generate

SHOTS = (0, 1, 2, 4, 8, 16)
"""Numbers of demonstrations."""
Estimate = dict[str, float]
"""A mean, the ends of its interval, and the number of items."""


def main() -> None:
    """Measure a model, and print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument(
        "--samples", type=int, default=20, help="samples of each problem; 0 for none"
    )
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.7, 1.0])
    parser.add_argument(
        "--items",
        type=int,
        default=200,
        help="episodes of each family and number of demonstrations; instructions of each length",
    )
    settings = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(settings.model, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    torch.manual_seed(0)
    report = evaluate(model, tokenizer, settings)
    if settings.json:
        settings.json.write_text(json.dumps(report, indent=1) + "\n")
    show(report)


def evaluate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, settings: argparse.Namespace
) -> dict[str, Any]:
    """Return all figures of a model."""
    asked = problems.problems("test", settings.problems)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "word_problems": _word_problems(model, tokenizer, asked),
        "hint": _hint(model, tokenizer, asked),
        "sampling": {
            str(t): _sampling(model, tokenizer, asked, t, settings.samples)
            for t in settings.temperatures
            if settings.samples
        },
        "instructions": {
            str(count): _instructions(model, tokenizer, count, settings.items)
            for count in (1, 2, 3, 4)
        },
        "rules": {
            family: {str(k): _rule(model, tokenizer, family, k, settings.items) for k in SHOTS}
            for family in rules.FAMILIES
        },
    }


def _word_problems(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, asked: Sequence[problems.Problem]
) -> dict[str, Any]:
    """Return the accuracy on word problems with each suffix, for all and by number of steps."""
    # The numbers are tokens: room for the longest rationale, and for an answer alone.
    asked_with = {
        "rationale": (prompts.RATIONALE_SUFFIX, 200),
        "direct": (prompts.DIRECT_SUFFIX, 12),
    }
    report = {}
    for name, (suffix, longest) in asked_with.items():
        users = [problem.question + suffix for problem in asked]
        answers = generate(model, tokenizer, users, max_new_tokens=longest)

        # The bootstrap draws by place, so the order of the problems is kept.
        right: list[bool] = []
        by_steps: dict[int, list[bool]] = defaultdict(list)
        for answer, problem in zip(answers, asked, strict=True):
            right.append(final_number(answer) == problem.answer)
            by_steps[problem.steps].append(right[-1])

        report[name] = {
            "all": estimate(right),
            "by_steps": {str(steps): estimate(by_steps[steps]) for steps in sorted(by_steps)},
        }
    return report


def _hint(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, asked: Sequence[problems.Problem]
) -> Estimate:
    """Return the share of rationales that end in the gold answer if the prompt shows it."""
    users = [
        problem.question + prompts.HINT_SUFFIX.format(gold=problem.answer) for problem in asked
    ]
    answers = generate(model, tokenizer, users)
    return estimate(
        final_number(answer) == problem.answer
        for answer, problem in zip(answers, asked, strict=True)
    )


def _sampling(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    asked: Sequence[problems.Problem],
    temperature: float,
    samples: int,
) -> dict[str, Any]:
    """Compare one sample with the majority of several.

    "one" is the mean over all samples. "gain" is the difference of each problem, so its interval is
    narrower than those of its parts.
    """
    users: list[str] = []
    for problem in asked:
        users += [problem.question + prompts.RATIONALE_SUFFIX] * samples
    answers = generate(model, tokenizer, users, temperature=temperature, batch=500)
    numbers = [final_number(answer) for answer in answers]

    drawn = [numbers[i : i + samples] for i in range(0, len(numbers), samples)]
    one = [
        sum(number == problem.answer for number in some) / samples
        for some, problem in zip(drawn, asked, strict=True)
    ]
    majority = [
        float(_majority(some) == problem.answer) for some, problem in zip(drawn, asked, strict=True)
    ]
    gain = [m - o for m, o in zip(majority, one, strict=True)]
    return {
        "samples": samples,
        "one": estimate(one),
        "majority": estimate(majority),
        "gain": estimate(gain),
    }


def _majority(answers: Sequence[str | None]) -> str | None:
    """Return the most frequent answer, or None if there is none."""
    counts = Counter(answer for answer in answers if answer is not None)
    return counts.most_common(1)[0][0] if counts else None


def _instructions(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, count: int, n: int
) -> Estimate:
    """Return the accuracy on `n` instructions of `count` operations."""
    tasks = instructions.instructions("test", n, operations=count)
    return _exact(model, tokenizer, [(task.instruction, task.answer) for task in tasks], 40)


def _rule(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, family: str, k: int, n: int
) -> Estimate:
    """Return the accuracy on `n` queries of a family after k demonstrations."""
    found = rules.episodes("test", n, family=family, k=k)
    pairs = [(episode.prompt(), episode.pairs[-1][1]) for episode in found]
    return _exact(model, tokenizer, pairs, 12)


def _exact(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[str, str]],
    longest: int,
) -> Estimate:
    """Return the share of prompts whose completion is exactly the target."""
    answers = generate(model, tokenizer, [prompt for prompt, _ in pairs], max_new_tokens=longest)
    return estimate(
        answer.strip() == target for answer, (_, target) in zip(answers, pairs, strict=True)
    )


def estimate(values: Iterable[float], *, draws: int = 1000) -> Estimate:
    """Return the mean of some values, its 95 % bootstrap interval, and their number."""
    found = [float(value) for value in values]
    rng = Random("0:bootstrap")
    means = sorted(sum(rng.choices(found, k=len(found))) / len(found) for _ in range(draws))
    return {
        "mean": round(sum(found) / len(found), 4),
        "low": round(means[int(0.025 * draws)], 4),
        "high": round(means[int(0.975 * draws) - 1], 4),
        "n": len(found),
    }


def table(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the report as rows of an ability and its accuracy."""
    words = report["word_problems"]
    found = [(f"word problems, {name}", format_estimate(words[name]["all"])) for name in words]
    for name in words:
        by_steps = words[name]["by_steps"]
        found += [
            (f"- {name}, {steps} steps", format_estimate(value))
            for steps, value in by_steps.items()
        ]
    found += [("word problems, gold given as a hint", format_estimate(report["hint"]))]
    for temperature, values in report["sampling"].items():
        found += [(f"one sample, T = {temperature}", format_estimate(values["one"]))]
        found += [
            (
                f"majority of {values['samples']}, T = {temperature}",
                format_estimate(values["majority"]),
            )
        ]
        found += [(f"- gain of the majority, T = {temperature}", format_estimate(values["gain"]))]
    found += [
        (f"instructions, {count} operation{'s' * (count != '1')}", format_estimate(value))
        for count, value in report["instructions"].items()
    ]
    for family, shots in report["rules"].items():
        means = " / ".join(f"{value['mean']:.2f}" for value in shots.values())
        found += [(f"rule `{family}`, k = {' / '.join(shots)}", means)]
    return found


def format_estimate(value: Estimate) -> str:
    """Return an estimate as text: the mean and its interval."""
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def show(report: Mapping[str, Any]) -> None:
    """Print the report as a table."""
    drawn = Table("ability (test split)", "accuracy")
    for row in table(report):
        drawn.add_row(*row)
    Console().print(drawn)


if __name__ == "__main__":
    main()
