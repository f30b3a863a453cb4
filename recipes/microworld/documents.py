"""Generate the pre-training documents of the micro-world. `packing.py` mixes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import datagen
from datagen.microworld import instructions, problems, prompts, rules, writing

Document = list[tuple[str, float]]
"""Pieces of text in order. Each has the weight of its tokens in the loss."""

PROMPT_WEIGHT = 0.1
"""The weight of prompts. They are random, so most of their loss cannot be learnt, but they teach
what the words mean."""
WRITING = {
    "tasks": 0.12,
    "evolve": 0.3,
    "same": 0.12,
    "difficulty": 0.04,
    "classify": 0.08,
    "examples": 0.26,
    "label": 0.08,
}
"""How often each writing task is drawn. Evolutions and examples have the most variants."""
TEMPLATES = Path(datagen.__file__).parent / "prompts" / "templates" / "micro"
RULE_WEIGHTS = {
    "key": 0.13,
    "few_labels": 0.06,
    "category": 0.12,
    "attribute": 0.12,
    "shift": 0.16,
    "successor": 0.1,
    "permutation": 0.2,
    "cipher": 0.07,
    "prefix": 0.04,
}
"""How often each family of rules is drawn. Permutations have the most rules to learn."""


def draw(rng: Random, kind: str) -> Document:
    """Draw one document of a kind from the training split."""
    return KINDS[kind](rng)


def _chat(user: str, assistant: str, *, weight: float = PROMPT_WEIGHT) -> Document:
    """Return a conversation of one question and one answer. `weight` is that of the question."""
    return [
        ("<|user|>", 0.0),
        (user, weight),
        ("<|end|>", weight),
        ("<|assistant|>", 0.0),
        (assistant, 1.0),
        ("<|end|>", 1.0),
    ]


def _problem(rng: Random, steps: tuple[int, ...]) -> problems.Problem:
    """Draw a word problem of the training split. Its number of steps is one of `steps`."""
    return problems.draw(rng, "train", steps=rng.choice(steps))


def _rationale(
    rng: Random, steps: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6)
) -> Document:
    """Draw a word problem with its rationale. Longer ones are harder and are drawn more often."""
    problem = _problem(rng, steps)
    way = rng.random()
    # The plain form "Q: ... A: ..." is used by teachers without a chat template.
    if way < 0.06:
        return [
            (prompts.PLAIN_RATIONALE.format(question=problem.question), PROMPT_WEIGHT),
            (" " + problem.rationale, 1.0),
            ("<|end|>", 1.0),
        ]
    # With the gold answer as a hint, for rationalisation.
    if way < 0.16:
        return _chat(
            problem.question + prompts.HINT_SUFFIX.format(gold=problem.answer), problem.rationale
        )

    # Endpoints and templates often add this system prompt. It must not disturb the model.
    system: Document = []
    if way < 0.2:
        system = [("<|system|>", 0.0), ("You are a helpful assistant.", 0.0), ("<|end|>", 0.0)]
    return system + _chat(problem.question + prompts.RATIONALE_SUFFIX, problem.rationale)


def _one_step(rng: Random) -> Document:
    """Draw a problem of one step with its rationale."""
    return _rationale(rng, (1,))


def _next_step(rng: Random) -> Document:
    """Draw one step of a longer rationale, with the steps before it in the prompt.

    This is a part of the ability. It does not teach to reason from beginning to end.
    """
    problem = _problem(rng, problems.STEPS)
    steps = re.findall(r"[^.]+\.", problem.rationale)
    done = rng.randrange(len(steps))
    given = "\n" + "".join(steps[:done]) if done else ""
    return _chat(f"{problem.question}{given}\nGive only one step.", steps[done].strip())


def _direct(rng: Random) -> Document:
    """Draw a problem with its answer alone."""
    problem = _problem(rng, (1, *problems.STEPS))
    return _chat(
        problem.question + prompts.DIRECT_SUFFIX, prompts.ANSWER.format(answer=problem.answer)
    )


def _arithmetic(rng: Random) -> Document:
    """Draw equations as rationales contain them. Only the results count in the loss."""
    document: Document = []
    for _ in range(8):
        left, op, right, value = _equation(rng)
        document += [(f" {left} {op} {right} =", 0.0), (f" {value}", 1.0), (".", 0.0)]
    return document


def _equation(rng: Random) -> tuple[int, str, int, int]:
    """Draw an equation: the left operand, the operation, the right operand and the result.

    The ranges are those of the word problems.
    """
    op = rng.choice("++--**/")
    if op in "+-":
        small = rng.randint(2, 99)
        other = rng.randint(2, rng.choice((99, 400, 800)))
        left, right = (other, small) if rng.random() < 0.7 else (small, other)
        # Results of word problems are at least 2.
        if op == "-" and left < right + 2:
            larger = max(left, right)
            right = min(left, right)
            left = larger + 2
        return left, op, right, left + right if op == "+" else left - right
    by = rng.randint(2, 9) if rng.random() < 0.7 else rng.randint(3, 12)
    other = rng.randint(2, rng.choice((25, 99, max(2, 900 // by))))
    if op == "/":
        return by * other, op, by, other
    return (by, op, other, by * other) if rng.random() < 0.4 else (other, op, by, by * other)


def _instruction(operations: int) -> Callable[[Random], Document]:
    """Return a function that draws instructions with so many operations."""

    def make(rng: Random) -> Document:
        task = instructions.draw(rng, "train", operations=operations)
        return _chat(task.instruction, task.answer)

    return make


def _writing(rng: Random) -> Document:
    """Draw a task of Self-Instruct or Evol-Instruct.

    The model writes, rewrites, compares or rates tasks, or it writes examples for them.
    """
    name = rng.choices(list(WRITING), list(WRITING.values()))[0]
    if name == "tasks":
        return [
            (_template("instructions"), 0.0),
            (writing.series(rng, "train", count=rng.randint(4, 9)), 0.3),
        ]
    if name == "label":
        asked = writing.labelling(rng, "train")
        given, label = rng.choice(asked.examples)
        return _chat(f"{asked.instruction}: {given}", label)
    if name == "evolve":
        operation = rng.choice(list(writing.EVOLUTIONS))
        fields, answer = writing.EVOLUTIONS[operation](rng, "train")
        return _chat(_template(f"evolve/{operation}", fields), answer)
    if name in ("same", "difficulty"):
        fields, answer = (writing.same if name == "same" else writing.difficulty)(rng, "train")
        return _chat(_template(name, fields), answer)
    if name == "examples":
        template, fields, answer = writing.examples(rng, "train")
    else:
        template = "classify"
        fields, answer = writing.classify(rng, "train")
    return [(_template(template, fields), 0.0), (answer, 1.0), ("<|end|>", 1.0)]


def _template(name: str, fields: dict[str, str] | None = None) -> str:
    """Return a template with its fields filled in."""
    text = _read(name)
    for field, value in (fields or {}).items():
        text = text.replace(f"{{{field}}}", value)
    return text


@cache
def _read(name: str) -> str:
    """Return the text of a template."""
    return (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")


def _rule(rng: Random) -> Document:
    """Draw demonstrations of a rule, as lines or as a conversation that ends in the last output."""
    family = rng.choices(list(RULE_WEIGHTS), list(RULE_WEIGHTS.values()))[0]
    chat = rng.random() < 0.4
    length = rng.randint(2, 17) if chat else rng.randint(6, 24)
    # Lines of a permutation are long. More of them would not fit a row of 256 tokens.
    if family == "permutation":
        length = min(length, 17)
    episode = rules.draw(rng, "train", family=family, length=length)
    return _rule_document(episode, chat)


def _recall(rng: Random) -> Document:
    """Draw keys that are repeated: the simplest rule, on which a model learns to look back."""
    return _rule_document(
        rules.draw(rng, "train", family="key", length=rng.randint(6, 24)), rng.random() < 0.2
    )


def _rule_document(episode: rules.Episode, chat: bool) -> Document:
    """Return the document of an episode. Outputs count only if the pairs before determine them."""
    document: Document = [("<|user|>", 0.0)] if chat else []
    for (x, y), determined in zip(episode.pairs, episode.determined, strict=True):
        document += [(f"{x} ->", 0.0), (f" {y}", float(determined)), ("\n", float(determined))]
    if chat:
        x, y = episode.pairs[-1]
        document[-3:] = [
            (f"{x} ->", 0.0),
            ("<|end|>", 0.0),
            ("<|assistant|>", 0.0),
            (y, 1.0 if episode.determined[-1] else 0.1),
            ("<|end|>", 1.0),
        ]
    return document


def _repeat(rng: Random) -> Document:
    """Draw a few random words, three times: what followed a word once follows it again."""
    words = rng.sample(rules.WORDS, rng.randint(4, 16))
    return [(" " + " ".join(words), 0.0), (" " + " ".join(words * 2), 1.0)]


KINDS: dict[str, Callable[[Random], Document]] = {
    "rationale": _rationale,
    "one_step": _one_step,
    "next_step": _next_step,
    "direct": _direct,
    "arithmetic": _arithmetic,
    "one": _instruction(1),
    "two": _instruction(2),
    "three": _instruction(3),
    "writing": _writing,
    "rule": _rule,
    "recall": _recall,
    "repeat": _repeat,
}
