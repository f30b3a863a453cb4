"""Measure the accuracy of each ability quickly, on validation items, for the training log."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from datagen.microworld import instructions, problems, prompts, rules
from recipes.microworld.generation import final_number, generate


def probe(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, n: int = 60
) -> dict[str, float]:
    """Return the greedy accuracy of each ability on `n` validation items."""
    model.eval()
    rng = Random("0:probe")
    hard = problems.problems("validation", n)
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
    """Return the share of word problems that the model solves.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        asked: The problems.
        suffix: The end of the prompt: a request for a rationale, or for the answer alone.
        longest: The longest completion, in tokens.
    """
    users = [problem.question + suffix for problem in asked]
    answers = generate(model, tokenizer, users, max_new_tokens=longest)
    pairs = zip(answers, asked, strict=True)
    return sum(final_number(answer) == problem.answer for answer, problem in pairs) / len(asked)


def exact(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[str, str]],
    *,
    longest: int = 40,
) -> float:
    """Return the share of prompts whose completion is exactly the target."""
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
    """Return the share of queries of a family that the model answers after k demonstrations."""
    found = rules.episodes(split, n, family=family, k=k)
    return exact(
        model,
        tokenizer,
        [(episode.prompt(), episode.pairs[-1][1]) for episode in found],
        longest=10,
    )
