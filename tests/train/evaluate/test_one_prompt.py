"""A student is asked, token by token, what it was trained on: chains and answers of the suites."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from datagen.cli import main as datagen
from datagen.rationales.generate import distil
from datagen.rationales.prompts import Prompts
from datagen.rationales.settings import RationaleSettings
from datagen.schema import Accepted
from datagen.suites import SUITES, Question, load
from datagen.suites.question import make
from datagen.teacher import Completion, Request, TeacherError
from datagen.teacher.local.hf import HfTeacher
from tests.train.conftest import write, write_run
from tests.train.evaluate.test_one_format import trained_prompts
from train.evaluate.ask import ask, prompt_of
from train.evaluate.contenders import Contender
from train.evaluate.settings import EvaluateSettings

SOME = {
    "gsm8k": make("gsm8k", "Ann has 2 pens and buys 3.", "5", answer_type="number"),
    "commonsenseqa": make(
        "commonsenseqa", "Where are books?", "B", answer_type="choice", options=("bank", "library")
    ),
    "strategyqa": make("strategyqa", "Do hens fly?", "no", answer_type="yesno"),
    "last_letters": make("last_letters", "Last letters of Ann Bo?", "no", answer_type="text"),
    "bbh/boolean_expressions": make(
        "bbh/boolean_expressions",
        "not True is",
        "False",
        answer_type="yesno",
        options=("True", "False"),
    ),
    "microworld": load("microworld", "test", limit=1)[0],
}
MODES = [("rationales", "rationale"), ("answers", "direct")]


class Knowing:
    """A teacher that knows the gold answers."""

    def __init__(self, question: Question):
        self.gold = question.gold

    async def complete(self, request: Request) -> list[Completion]:
        named = f"({self.gold})" if len(self.gold or "") == 1 and self.gold in "AB" else self.gold
        return [Completion(f"Some work.\nThe answer is {named}.")] * request.n


def rows_of(suite: str, question: Question) -> Sequence[Accepted]:
    """The rows that `datagen rationales` accepts for a question."""
    settings = RationaleSettings(source=suite, samples=1)
    prompts = Prompts(SUITES[suite])
    found = asyncio.run(distil(question, Knowing(question), prompts=prompts, settings=settings))  # type: ignore[arg-type]
    return [outcome for outcome in found if isinstance(outcome, Accepted)]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the rows of all these questions, as version `parity`."""
    monkeypatch.setenv("EMERGENT_STORE", str(tmp_path / "store"))
    run = tmp_path / "run"
    run.mkdir()
    write_run(run)
    rows = [row for suite, question in SOME.items() for row in rows_of(suite, question)]
    configs = {config: [r.row for r in rows if r.config == config] for config, _ in MODES}
    assert {config: len(found) for config, found in configs.items()} == {
        "rationales": len(SOME),
        "answers": len(SOME),
    }
    write(run, configs)
    assert datagen(["publish", str(run), "parity"]) == 0
    return tmp_path


@pytest.mark.parametrize(("config", "mode"), MODES)
def test_what_is_trained_is_what_is_asked(
    base: Path, published: Path, config: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, _ = trained_prompts(base, published, config=config)
    asked = seen_by(base, mode, published, monkeypatch)
    assert len(set(trained)) == len(SOME)
    assert sorted(asked) == sorted(trained)


def seen_by(model: Path, mode: str, out: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """The texts that go through the model when these questions are asked, without padding."""
    teacher = HfTeacher(str(model), name="student")
    contender = Contender("s", "student", f"hf:{model}", mode)
    settings = EvaluateSettings(out=out, samples=0, max_tokens=1)
    seen: list[str] = []

    def look(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        for ids, mask in zip(kwargs["input_ids"], kwargs["attention_mask"], strict=True):
            seen.append(teacher.load_tokenizer().decode(ids[mask.bool()]))

    async def unable(pairs: Any) -> Any:
        raise TeacherError("only prompts are looked at")

    async def evaluate() -> None:
        await teacher.open()
        teacher.model.network.register_forward_pre_hook(look, with_kwargs=True)
        for suite, question in SOME.items():
            await ask(
                teacher, [question], suite=SUITES[suite], contender=contender, settings=settings
            )
        await teacher.close()

    patch.setattr(teacher, "score_many", unable)
    asyncio.run(evaluate())
    return seen


STEPS = "Let's think step by step. Finish with a line that says"
WORDS = {
    ("gsm8k", "rationale"): f'{STEPS} "The answer is N.", where N is the number alone.',
    ("gsm8k", "direct"): "Reply with the number alone, without working.",
    ("commonsenseqa", "rationale"): (
        f'{STEPS} "The answer is (X).", where X is the letter of the option you choose.'
    ),
    ("commonsenseqa", "direct"): (
        "Reply with the letter of the right option alone, without working."
    ),
    ("strategyqa", "rationale"): f'{STEPS} "The answer is yes." or "The answer is no."',
    ("strategyqa", "direct"): "Reply with yes or no alone, without working.",
    ("last_letters", "rationale"): (
        f'{STEPS} "The answer is ...", with the answer alone in place of the dots.'
    ),
    ("last_letters", "direct"): "Reply with the answer alone, without working.",
    ("bbh/boolean_expressions", "rationale"): (
        f'{STEPS} "The answer is True." or "The answer is False."'
    ),
    ("bbh/boolean_expressions", "direct"): "Reply with True or False alone, without working.",
}


@pytest.mark.parametrize(("suite", "mode"), WORDS)
def test_the_words_of_the_prompts_stay(suite: str, mode: str) -> None:
    """Students of published versions were trained on these words. Other words measure them on a
    prompt that they never saw, so a change of this test is a breaking change."""
    question = SOME[suite]
    expected = f"{question.question}\n{WORDS[suite, mode]}"
    found = {
        style: prompt_of(question, SUITES[suite], Contender("s", "student", "micro", mode, style))
        for style in ("chat", "plain")
    }
    assert found == {"chat": (("user", expected),), "plain": f"Q: {expected}\nA:"}
