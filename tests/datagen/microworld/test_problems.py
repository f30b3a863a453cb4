"""Word problems: deterministic, disjoint splits, true rationales, answers that an independent
solver finds."""

import re
from fractions import Fraction

import pytest

from datagen.errors import UserError
from datagen.microworld.problems import STEPS, Problem, problems
from datagen.microworld.words import NAMES

EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
APPLY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: Fraction(a, b),
}


def test_same_seed_same_problems_and_another_seed_others() -> None:
    assert problems("test", 50, seed=3) == problems("test", 50, seed=3)
    assert problems("test", 50, seed=3) == problems("test", 80, seed=3)[:50]
    assert problems("test", 50, seed=3) != problems("test", 50, seed=4)


def test_problems_are_distinct_and_steps_in_equal_shares() -> None:
    found = problems("validation", 200)
    assert len({problem.question for problem in found}) == 200
    assert [sum(problem.steps == n for problem in found) for n in STEPS] == [40] * 5


def test_unknown_split_is_named() -> None:
    with pytest.raises(UserError, match=r"'dev'.*train, validation, test"):
        problems("dev", 1)


def _numbers_and_structure(problem: Problem) -> tuple[str, ...]:
    """The rationale's equations without names, order and the order of operands, read from its text
    alone."""
    found = EQUATION.findall(problem.rationale)
    return tuple(
        sorted(str((*sorted((a, b)), op) if op in "+*" else (a, b, op)) for a, op, b, _ in found)
    )


def test_splits_share_neither_questions_nor_equations() -> None:
    seen: dict[tuple[str, ...], str] = {}
    questions: dict[str, str] = {}
    for split in ("train", "validation", "test"):
        for seed in (0, 1):
            for problem in problems(split, 1500, seed=seed):
                assert seen.setdefault(_numbers_and_structure(problem), split) == split
                assert questions.setdefault(problem.question, split) == split


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_equation_holds_and_the_last_is_the_answer(split: str) -> None:
    for problem in problems(split, 400):
        found = EQUATION.findall(problem.rationale)
        assert all(APPLY[op](int(a), int(b)) == int(c) for a, op, b, c in found)
        assert len(found) == problem.steps == problem.rationale.count("=")
        assert found[-1][3] == problem.answer
        assert problem.rationale.endswith(f" The answer is {problem.answer}.")


def test_operands_are_told_in_the_question_or_worked_out_before() -> None:
    words = {"half": "2", "twice": "2"}
    for problem in problems("test", 400):
        known = set(re.findall(r"\d+", problem.question)) | {
            n for word, n in words.items() if word in problem.question
        }
        for a, _, b, c in EQUATION.findall(problem.rationale):
            assert {a, b} <= known
            known.add(c)


def test_right_rationales_differ_in_order() -> None:
    """Independent steps and operands come in more than one order."""
    adds = [
        (int(a), int(b))
        for p in problems("train", 500)
        for a, op, b, _ in EQUATION.findall(p.rationale)
        if op == "+"
    ]
    assert 0.2 < sum(a < b for a, b in adds) / len(adds) < 0.8


def _solve(question: str) -> Fraction:
    """An independent solver: read the sentences in order, keep what everyone owns, answer what is
    asked."""
    *story, ask = re.split(r"(?<=[.?]) ", question)
    item = re.search(r"How many (?:more )?(\w+)|all the (\w+)", ask)
    if ask.startswith("How many dollars") or (
        ask.startswith("How many") and story[-1].startswith("Now ")
    ):
        ask = f"{story.pop()} {ask}"
        item = re.search(r"all the (\w+)", ask)
    assert item
    thing = item[1] or item[2]
    owned: dict[str, Fraction] = {}
    for sentence in story:
        _read(sentence, thing, owned)
    return _answer(ask, owned)


def _read(sentence: str, thing: str, owned: dict[str, Fraction]) -> None:
    if not re.search(rf"\b{thing}\b", sentence):
        return
    name = next(word for word in re.findall(r"\w+", sentence) if word in NAMES)
    numbers = [Fraction(n) for n in re.findall(r"\d+", sentence)]
    other = sentence.rstrip(".").split()[-1]
    if match := re.search(r"(twice|\d+ times) as many \w+ as (\w+)", sentence):
        base = owned[name] if match[2] == "before" else owned[match[2]]
        owned[name] = base * (2 if match[1] == "twice" else numbers[0])
    elif " more " in sentence and " than " in sentence:
        owned[name] = owned[other] + numbers[0]
    elif " fewer " in sentence:
        owned[name] = owned[other] - numbers[0]
    elif re.search(r" (boxes|bags|jars) (with|of) ", sentence) and " each" in sentence:
        owned[name] = numbers[0] * numbers[1]
    elif "half of" in sentence:
        owned[name] /= 2
    elif re.search(r" (buys|finds) ", sentence):
        owned[name] = owned.get(name, Fraction(0)) + numbers[0]
    elif re.search(r" (gives|loses|sells) ", sentence):
        owned[name] -= numbers[0]
    else:
        owned[name] = numbers[0]


def _answer(ask: str, owned: dict[str, Fraction]) -> Fraction:
    names = list(dict.fromkeys(word for word in re.findall(r"\w+", ask) if word in NAMES))
    if " more " in ask:
        return owned[names[0]] - owned[names[1]]
    total = sum((owned[name] for name in names), Fraction(0))
    number = re.search(r"\d+", ask)
    if not number:
        return total
    return total * int(number[0]) if "dollars" in ask else total / int(number[0])


def test_an_independent_solver_finds_the_answers() -> None:
    for problem in problems("test", 1500) + problems("train", 500):
        assert _solve(problem.question) == int(problem.answer), problem.question
