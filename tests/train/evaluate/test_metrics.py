"""Edit distance against the textbook recursion, and the gold's log-probability against a forward
pass of our own."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from random import Random

import pytest

from datagen.teacher import connect
from train.evaluate.metrics import before_answer, edit_distance, gold_logprob


def levenshtein(a: str, b: str) -> int:
    @cache
    def at(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return at(len(a), len(b))


def test_edit_distance_equals_the_recursion() -> None:
    rng = Random(2)
    for _ in range(200):
        a, b = ("".join(rng.choices("012", k=rng.randint(0, 7))) for _ in range(2))
        longest = max(len(a), len(b))
        assert edit_distance(a, b) == pytest.approx(levenshtein(a, b) / longest if longest else 0)


def test_no_answer_is_as_far_as_can_be() -> None:
    assert edit_distance(None, "18") == 1


@pytest.mark.parametrize(
    ("text", "mode", "before"),
    [
        ("2 + 3 = 5. The answer is 5.", "rationale", "2 + 3 = 5. The answer is"),
        (
            "The answer is 4. No: the answer is 5.",
            "rationale",
            "The answer is 4. No: the answer is",
        ),
        ("So the answer is (B).", "rationale", "So the answer is ("),
        ("#### 18", "rationale", "####"),
        ("thus \\boxed{18}", "rationale", "thus \\boxed{"),
        ("The answer is $18.", "direct", "The answer is $"),
        ("2 + 3 = 5.\n", "rationale", "2 + 3 = 5.\nThe answer is"),
        ("", "rationale", "The answer is"),
        ("18", "direct", "The answer is"),
    ],
)
def test_the_gold_goes_where_the_last_answer_stood(text: str, mode: str, before: str) -> None:
    assert before_answer(text, mode) == before


def test_gold_logprob_is_the_forward_pass_over_the_golds_tokens(base: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    question, text, gold = "Tom has 3 apples.", "Tom has 3 + 4 = 7 apples. The answer is 9.", "17"

    async def ask() -> float | None:
        teacher = connect(f"hf:{base}")
        try:
            return await gold_logprob(
                teacher, (("user", question),), text=text, gold=gold, mode="rationale"
            )
        finally:
            await teacher.close()

    tokenizer, model = (
        AutoTokenizer.from_pretrained(base),
        AutoModelForCausalLM.from_pretrained(base),
    )
    start = f"<|user|>{question}<|end|><|assistant|>Tom has 3 + 4 = 7 apples. The answer is"
    ids = [tokenizer(part, add_special_tokens=False).input_ids for part in (start, start + " 17")]
    assert ids[1][: len(ids[0])] == ids[0]
    logprobs = model(torch.tensor([ids[1]])).logits[0].log_softmax(-1)
    of_gold = [
        logprobs[place - 1, ids[1][place]].item() for place in range(len(ids[0]), len(ids[1]))
    ]
    assert asyncio.run(ask()) == pytest.approx(sum(of_gold) / len(of_gold), abs=1e-4)
