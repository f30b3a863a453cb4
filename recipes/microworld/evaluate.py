"""Measure a model of the micro-world on its test split: `python -m recipes.microworld.evaluate
MODEL --json OUT.json`.

Word problems with a rationale and with the answer alone, by number of steps; one sample and the
majority of several; rules by number of demonstrations; instructions by number of operations.
Intervals are 95 % bootstrap intervals."""

from __future__ import annotations

import argparse
import json
from collections import Counter
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
Estimate = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument(
        "--samples", type=int, default=20, help="samples a problem; 0 leaves sampling out"
    )
    parser.add_argument("--temperatures", type=float, nargs="+", default=[0.7, 1.0])
    parser.add_argument(
        "--items",
        type=int,
        default=200,
        help="episodes a family and number of demonstrations; instructions a depth",
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
    report = {}
    for name, suffix, longest in (
        ("rationale", prompts.RATIONALE_SUFFIX, 200),
        ("direct", prompts.DIRECT_SUFFIX, 12),
    ):
        answers = generate(
            model,
            tokenizer,
            [problem.question + suffix for problem in asked],
            max_new_tokens=longest,
        )
        right = [
            final_number(answer) == problem.answer
            for answer, problem in zip(answers, asked, strict=True)
        ]
        steps = sorted({problem.steps for problem in asked})
        by_steps = {
            str(n): estimate(
                r for r, problem in zip(right, asked, strict=True) if problem.steps == n
            )
            for n in steps
        }
        report[name] = {"all": estimate(right), "by_steps": by_steps}
    return report


def _hint(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, asked: Sequence[problems.Problem]
) -> Estimate:
    """Share of rationales that end in the gold answer when it is given."""
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
    """One sample (the mean over all drawn), the majority of all, and its gain item by item."""
    users = [
        problem.question + prompts.RATIONALE_SUFFIX for problem in asked for _ in range(samples)
    ]
    numbers = [
        final_number(answer)
        for answer in generate(model, tokenizer, users, temperature=temperature, batch=500)
    ]
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
    counts = Counter(answer for answer in answers if answer is not None)
    return counts.most_common(1)[0][0] if counts else None


def _instructions(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, count: int, n: int
) -> Estimate:
    tasks = instructions.instructions("test", n, operations=count)
    return _exact(model, tokenizer, [(task.instruction, task.answer) for task in tasks], 40)


def _rule(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, family: str, k: int, n: int
) -> Estimate:
    found = rules.episodes("test", n, family=family, k=k)
    return _exact(
        model, tokenizer, [(episode.prompt(), episode.pairs[-1][1]) for episode in found], 12
    )


def _exact(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[str, str]],
    longest: int,
) -> Estimate:
    answers = generate(model, tokenizer, [prompt for prompt, _ in pairs], max_new_tokens=longest)
    return estimate(
        answer.strip() == target for answer, (_, target) in zip(answers, pairs, strict=True)
    )


def estimate(values: Iterable[float], *, draws: int = 1000) -> Estimate:
    """Mean, 95 % bootstrap interval and number of items."""
    found, rng = [float(value) for value in values], Random("0:bootstrap")
    means = sorted(sum(rng.choices(found, k=len(found))) / len(found) for _ in range(draws))
    low, high = means[int(0.025 * draws)], means[int(0.975 * draws) - 1]
    return {
        "mean": round(sum(found) / len(found), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": len(found),
    }


def table(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The report as rows of ability and accuracy."""
    words, sampling = report["word_problems"], report["sampling"]
    found = [(f"word problems, {name}", said(words[name]["all"])) for name in words]
    found += [
        (f"- {name}, {steps} steps", said(value))
        for name in words
        for steps, value in words[name]["by_steps"].items()
    ]
    found += [("word problems, gold given as a hint", said(report["hint"]))]
    for temperature, values in sampling.items():
        found += [(f"one sample, T = {temperature}", said(values["one"]))]
        found += [(f"majority of {values['samples']}, T = {temperature}", said(values["majority"]))]
        found += [(f"- gain of the majority, T = {temperature}", said(values["gain"]))]
    found += [
        (f"instructions, {count} operation{'s' * (count != '1')}", said(value))
        for count, value in report["instructions"].items()
    ]
    for family, shots in report["rules"].items():
        found += [
            (
                f"rule `{family}`, k = {' / '.join(shots)}",
                " / ".join(f"{value['mean']:.2f}" for value in shots.values()),
            )
        ]
    return found


def said(value: Estimate) -> str:
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def show(report: Mapping[str, Any]) -> None:
    drawn = Table("ability (test split)", "accuracy")
    for row in table(report):
        drawn.add_row(*row)
    Console().print(drawn)


if __name__ == "__main__":
    main()
