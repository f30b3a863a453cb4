"""A quick accuracy per ability, on validation items, for the training log."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from datagen.microworld import instructions, problems, prompts, rules
from recipes.microworld.generation import final_number, generate


def probe(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, n: int = 60
) -> dict[str, float]:
    """Greedy accuracy by ability, on `n` validation items each."""
    model.eval()
    rng, hard = Random("0:probe"), problems.problems("validation", n)
    easy = [problems.draw(rng, "validation", steps=1) for _ in range(n)]
    found = {
        "rationale": word_problems(model, tokenizer, hard, suffix=prompts.RATIONALE_SUFFIX),
        "one_step": word_problems(
            model, tokenizer, easy, suffix=prompts.RATIONALE_SUFFIX, longest=50
        ),
        "direct": word_problems(model, tokenizer, hard, suffix=prompts.DIRECT_SUFFIX, longest=12),
    }
    for count in (1, 2):
        tasks = instructions.instructions("validation", n, operations=count)
        found[f"operations_{count}"] = exact(
            model, tokenizer, [(task.instruction, task.answer) for task in tasks]
        )
    for family in rules.FAMILIES:
        found[f"{family}_8"] = in_context(model, tokenizer, family, split="validation", k=8, n=n)
    model.train()
    return {name: round(value, 3) for name, value in found.items()}


def word_problems(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    asked: Sequence[problems.Problem],
    *,
    suffix: str,
    longest: int = 200,
) -> float:
    answers = generate(
        model, tokenizer, [problem.question + suffix for problem in asked], max_new_tokens=longest
    )
    return sum(
        final_number(answer) == problem.answer
        for answer, problem in zip(answers, asked, strict=True)
    ) / len(asked)


def exact(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[str, str]],
    *,
    longest: int = 40,
) -> float:
    """Share of prompts whose completion is the target, word for word."""
    answers = generate(model, tokenizer, [prompt for prompt, _ in pairs], max_new_tokens=longest)
    return sum(
        answer.strip() == target for answer, (_, target) in zip(answers, pairs, strict=True)
    ) / len(pairs)


def in_context(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    family: str,
    *,
    split: str,
    k: int,
    n: int,
) -> float:
    found = rules.episodes(split, n, family=family, k=k)
    return exact(
        model,
        tokenizer,
        [(episode.prompt(), episode.pairs[-1][1]) for episode in found],
        longest=10,
    )
