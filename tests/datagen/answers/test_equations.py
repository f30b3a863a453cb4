"""Equations against arithmetic done by Python itself."""

from __future__ import annotations

import random

import pytest

from datagen.answers import equation_validity, equations
from datagen.answers.arithmetic import evaluate

ONE_EQUATION = [
    "12 + 7 = 19",
    "12+7=19.",
    "so $12 + $7 = $19",
    "She has 12 + 7 = <<12+7=19>>19 eggs",
    "<<12+7=19>>",
    "(12 + 7 = 19)",
    "1. 12 + 7 = 19",
    "- 12 + 7 = 19",
    "12 + 7 =\t19.0",
    "It is 12.0 + 7 = 19, he said",
    "of 5 12 + 7 = 19 3",
]


@pytest.mark.parametrize("text", ONE_EQUATION)
def test_one_normal_form(text: str) -> None:
    assert equations(text) == ("12+7=19",)


def test_sequence() -> None:
    text = (
        "She sold 48/2 = <<48/2=24>>24 clips, so <<24+48=72>>72 in all.\n"
        "1,200 x 3 = 3,600 and 2 \u00d7 (3 + 4) = 14 \u00f7 1\n"
        "x = 5 and 7 = 7. Then 5 + 3 = 8 = 2 * 4 and -5 + 2 = \u22123, 50/200 = 25%"
    )
    assert equations(text) == (
        "48/2=24", "24+48=72", "1200*3=3600", "2*(3+4)=14/1", "5+3=8", "8=2*4", "-5+2=-3", "50/200=25%",
    )  # fmt: skip


def test_an_annotation_replaces_only_its_own_equation() -> None:
    assert equations("1+1=2 <<2+2=4>> 3+3=6") == ("1+1=2", "2+2=4", "3+3=6")
    assert equations("<<1+1=2>>2 and 1+1=2") == ("1+1=2", "1+1=2")
    assert equations("2*3=<<2*3=6>>6 <<oops>> 4*1=4") == ("2*3=6", "4*1=4")


def test_signs_brackets_and_mixed_numbers() -> None:
    assert equations("-14 + (-8) + 1 = -21 and 5 + -3 = 2") == ("-14+(-8)+1=-21", "5+-3=2")
    assert equations("2(50 + 100) = 300") == ("2*(50+100)=300",)
    assert equations("8 x 1 1/2 = 12") == ("8*(1+1/2)=12",)
    assert (
        equation_validity("-14 + (-8) + 1 = -21, 5 + -3 = 2, 2(50 + 100) = 300, 8 x 1 1/2 = 12")
        == 1.0
    )


def test_equations_with_unknowns_are_left_out() -> None:
    for text in (
        "n + 3 + 4 = 9",
        "n * 2 - 40 = 250",
        "100/5 = 5x",
        "2(4+x) = 8+2x",
        "2 pounds * 1/3 = 2/3",
        "3 + 4 = 7 + n",
    ):
        assert equations(text) == (), text


def test_no_equations() -> None:
    for text in ("", "The answer is 18.", "x = 5", "5 = 5", "= = =", "1 + = 2", "(1 + 2) = x"):
        assert equations(text) == ()
        assert equation_validity(text) is None


def test_validity() -> None:
    assert equation_validity("12+7=19 and then 5+5=11") == 0.5
    assert equation_validity("10/3 = 3.333") == 1.0
    assert equation_validity("10/3 = 3.4") == 0.0
    assert equation_validity("50/200 = 25% and 50/200*100 = 25%") == 1.0
    assert equation_validity("1/0 = 1") == 0.0
    assert equation_validity("2 - 2 = 0") == 1.0


def expression(rng: random.Random, depth: int) -> str:
    if not depth or rng.random() < 0.2:
        return str(rng.randint(1, 99))
    left, right = expression(rng, depth - 1), expression(rng, depth - 1)
    inner = f"{left}{rng.choice('+-*/')}{right}"
    return rng.choice([inner, f"({inner})", f"-({inner})" if rng.random() < 0.3 else inner])


def test_evaluation_is_pythons() -> None:
    rng = random.Random(1)
    for _ in range(500):
        text = expression(rng, 4)
        try:
            expected = eval(text)  # our own arithmetic, made in the line above
        except ZeroDivisionError:
            expected = None
        assert evaluate(text) == (None if expected is None else pytest.approx(expected)), text


@pytest.mark.parametrize("text", ["", "(", ")", "1+", "(1", "1)", "+", "1**2", "()", "1 2"])
def test_what_is_no_expression_has_no_value(text: str) -> None:
    assert evaluate(text) is None


def test_written_equations_are_found_and_judged() -> None:
    rng = random.Random(2)
    for _ in range(200):
        a, b = rng.randint(1, 999), rng.randint(1, 999)
        sign = rng.choice("+-*")
        true = {"+": a + b, "-": a - b, "*": a * b}[sign]
        shown = true + rng.choice([0, true + 1000])
        assert equations(f"Tom has {a} {sign} {b} = {shown} of them.") == (f"{a}{sign}{b}={shown}",)
        assert equation_validity(f"Tom has {a} {sign} {b} = {shown:,} of them.") == float(
            true == shown
        )
