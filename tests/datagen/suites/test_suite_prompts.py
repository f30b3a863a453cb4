"""Prompts: what they must hold, and that an answer given as they ask is found."""

from __future__ import annotations

import pytest

from datagen.answers import extract
from datagen.suites import SUITES, Suite, direct_prompt, hint_prompt, rationale_prompt
from datagen.suites.question import Question, make

QUESTIONS = {
    "number": make("mine", "How many are 2 and 3?", "5", answer_type="number"),
    "choice": make(
        "mine", "Where are books?", "B", answer_type="choice", options=("bank", "library")
    ),
    "yesno": make("mine", "Do hens fly?", "no", answer_type="yesno"),
    "text": make("mine", "Last letters of Ann Bo?", "no", answer_type="text"),
    "words": make("mine", "not True is", "False", answer_type="yesno", options=("True", "False")),
}
ANSWERED = {"number": "5", "choice": "(B)", "yesno": "no", "text": "no", "words": "False"}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_an_answer_given_as_asked_is_found(kind: str) -> None:
    question = QUESTIONS[kind]
    prompt = rationale_prompt(question, Suite("mine", question.answer_type))
    assert prompt.startswith(question.question + "\n")
    assert "Let's think step by step." in prompt
    assert '"The answer is ' in prompt
    assert "{" not in prompt
    reply = f"Some work.\nThe answer is {ANSWERED[kind]}."
    assert extract(reply, question.answer_type, options=question.options) == question.gold
    assert extract(ANSWERED[kind], question.answer_type, options=question.options) == question.gold


@pytest.mark.parametrize("kind", QUESTIONS)
def test_direct_and_hint(kind: str) -> None:
    question = QUESTIONS[kind]
    suite = Suite("mine", question.answer_type)
    direct, hint = direct_prompt(question, suite), hint_prompt(question, suite, str(question.gold))
    assert "step by step" not in direct
    assert direct.startswith(question.question + "\n")
    assert str(question.gold) in hint.removeprefix(question.question)
    assert "{" not in direct + hint


def test_words_are_named_in_the_prompt() -> None:
    assert '"The answer is True."' in rationale_prompt(
        QUESTIONS["words"], SUITES["bbh/boolean_expressions"]
    )
    assert "Reply with yes or no alone" in direct_prompt(QUESTIONS["yesno"], SUITES["strategyqa"])


def test_microworld_is_asked_in_its_own_words() -> None:
    prompts = pytest.importorskip("datagen.microworld.prompts")
    question, suite = (
        Question("0" * 16, "Ann has 2. How many?", "2", "number"),
        SUITES["microworld"],
    )
    assert rationale_prompt(question, suite) == question.question + prompts.RATIONALE_SUFFIX
    assert direct_prompt(question, suite) == question.question + prompts.DIRECT_SUFFIX
    assert hint_prompt(question, suite, "2") == question.question + prompts.HINT_SUFFIX.replace(
        "{gold}", "2"
    )
