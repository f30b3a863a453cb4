"""Extraction against answers that are known because the test wrote them into the text."""

from __future__ import annotations

import random
import threading
from decimal import Decimal
from fractions import Fraction

import pytest

from datagen.answers import equal, extract
from datagen.answers.numbers import canonical

NUMBERS = [
    ("The answer is 18.", "18"),
    ("So the answer is therefore: 18", "18"),
    ("#### 1,018", "1018"),
    ("She has 3 left.\nA: 18", "18"),
    ("**Answer:** $1,200.50 per month", "1200.5"),
    ("## Final Answer\r\n\r\n18 eggs", "18"),
    ("#### Step 2\n2 + 2 = 4\n#### 18", "18"),
    ("The answer is 7. Wait: 3 * 6 is 18, so the answer is 18.", "18"),
    ("The answer is 3 * 6 = 18 eggs.", "18"),
    ("The answer is 18 = 3 * 6.", "18"),
    ("The answer to the second question is 18, not 17.", "18"),
    ("<think>The answer is 5?</think>It takes 18 days", "18"),
    ("It takes 12 - 7", "7"),
    ("It was -7 degrees", "-7"),
    ("The balance is -$5.", "-5"),
    ("The answer is $-5", "-5"),
    ("The answer is \u22125.", "-5"),
    ("Half of it is 1/2", "0.5"),
    ("It needs 3 1/2 cups", "3.5"),
    ("A third: 1/3", "1/3"),
    ("That is 18.0", "18"),
    ("That is 18.50", "18.5"),
    ("So 50% of them", "50"),
    ("A: -1.8 billion", "-1800000000"),
    ("1.5e3 metres", "1500"),
    (r"Therefore \boxed{18}", "18"),
    (r"\boxed{1{,}018\text{ eggs}}", "1018"),
    (r"The answer is $\frac{3}{4}$ of a cup.", "0.75"),
    (r"The answer is \(3\frac{1}{2}\).", "3.5"),
    (r"\boxed{-\dfrac{3}{4}}", "-0.75"),
    (r"\boxed{\frac{1}{1+\frac{1}{3}}}", "0.75"),
    (r"\boxed{\sqrt{16}}", "4"),
    (r"\boxed{1.5 \times 10^{3}}", "1500"),
    (r"Half of it: $x = \frac{1}{1+1}$", "0.5"),
    (r"\boxed{2\sqrt{2}}", "2.82842712475"),
    ("The answer is unknown, about 18", "18"),
    ("Let x be the number of hens", None),
    ("Room B12 and v2", None),
    ("", None),
    ("The total is 1e999999999", None),
    ("The answer is 5/0.", None),
]


@pytest.mark.parametrize(("text", "answer"), NUMBERS)
def test_number(text: str, answer: str | None) -> None:
    assert extract(text, "number") == answer


def test_canonical_is_exact_and_unique() -> None:
    rng = random.Random(0)
    for _ in range(500):
        value = Fraction(
            rng.randint(-(10**6), 10**6), rng.choice([1, 2, 3, 4, 7, 8, 10, 25, 100, 1000])
        )
        text = canonical(value)
        assert Fraction(text) == value
        assert extract(f"The answer is {text}.", "number") == text
        decimal = Decimal(value.numerator) / Decimal(value.denominator)
        if Fraction(decimal) == value:
            assert text == format(decimal.normalize(), "f")
        assert equal(f"{value.numerator}/{value.denominator}", text, "number")


@pytest.mark.parametrize(
    "form", ["{:,}", "${:,}", "{:,}.00", "{:,}%", r"\boxed{{{:,}}}", "{:,} km", "*{:,}*", "{:,}!"]
)
def test_number_forms(form: str) -> None:
    rng = random.Random(form)
    for value in (rng.randrange(10 ** rng.randint(1, 9)) for _ in range(50)):
        for text in (
            f"First 3, then 5.\nThe answer is {form.format(value)}",
            f"In the end it is {form.format(value)}",
        ):
            assert extract(text, "number") == str(value), text


def test_latex_outside_the_main_thread() -> None:
    found: list[str | None] = []
    thread = threading.Thread(
        target=lambda: found.append(extract(r"\boxed{\frac{1}{1+\frac{2}{6}}}", "number"))
    )
    thread.start()
    thread.join()
    assert found == ["0.75"]


OPTIONS = ("bank", "library", "department store", "store", "new york")
CHOICES = [
    ("The answer is (B).", "B"),
    ("So the answer is B", "B"),
    ("Answer: B) library", "B"),
    ("**Answer: (C) department store**", "C"),
    ("The answer is option D.", "D"),
    ("the answer is a", "A"),
    ("The answer is A.", "A"),
    ("The answer is A because banks have doors.", "A"),
    ("The answer is the department store.", "C"),
    ("The answer is New York", "E"),
    ("I would not say (A). It has to be (D)", "D"),
    (r"\boxed{\text{B}}", "B"),
    (r"\boxed{E}", "E"),
    ("B", "B"),
    ("(b)", "B"),
    ("B.", "B"),
    ("library", "B"),
    ("It must be the library.", "B"),
    ("Answer: Option C", "C"),
    ("People read books there.\nAnswer B", "B"),
    ("People read books there.\nSo the correct option is (B).", "B"),
    ("People read books there.\nB is the correct choice", "B"),
    ("People read (A lot) there.\nB", "B"),
    (
        "At a bank there are no books, and at the library one may read for as long as one likes",
        None,
    ),
    ("A man has a door", None),
    ("The answer is A man has a door", None),
    ("I think that it is hard", None),
    ("The answer is (Z).", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "answer"), CHOICES)
def test_choice(text: str, answer: str | None) -> None:
    assert extract(text, "choice", options=OPTIONS) == answer


def test_no_article_is_a_choice() -> None:
    nouns = ["man", "bank", "careful person", "number of doors", "yes", "Boston bank"]
    for start in ("", "The answer is ", "Answer: ", "So it is ", "A: "):
        for noun in nouns:
            assert extract(f"{start}A {noun} has it", "choice") is None, (start, noun)


YESNO = [
    ("Yes, because frost comes early.", (), "yes"),
    ("There is no frost in May. So the answer is yes.", (), "yes"),
    ("There is no evidence of it, so no.", (), "no"),
    ("There is no evidence of it", (), None),
    ("The answer is No", (), "no"),
    ("not ( True ) is False. The answer is False.", ("True", "False"), "false"),
    ("The answer is no.", ("True", "False"), "false"),
    ("The answer is not true.", ("True", "False"), "false"),
    ("True", ("True", "False"), "true"),
    ("The answer is true.", (), None),
    ("The argument is valid only if p. The answer is invalid.", ("valid", "invalid"), "invalid"),
    ("So the argument is not valid.", ("valid", "invalid"), "invalid"),
]


@pytest.mark.parametrize(("text", "options", "answer"), YESNO)
def test_yesno(text: str, options: tuple[str, ...], answer: str | None) -> None:
    assert extract(text, "yesno", options=options) == answer


TEXTS = [
    ("So the answer is ] ] >.", "] ] >"),
    ("The answer is ]]>", "] ] >"),
    ("The answer is }.", "}"),
    ('y and a make "ya". The answer is "ya". Anything else?', "ya"),
    ("The answer is yajo. I hope so", "yajo"),
    ("Answer: barn, damp, it&t, don't", "barn damp it&t don't"),
    ("The answer is Dr. Smith.", "dr. smith"),
    (r"\boxed{\text{yajo}}", "yajo"),
    ("#### yajo", "yajo"),
    ("Yajo", "yajo"),
    ("The letters are y and a.\nThey make ya.", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "answer"), TEXTS)
def test_text(text: str, answer: str | None) -> None:
    assert extract(text, "text") == answer


def test_equal() -> None:
    assert equal("18", "18.0", "number")
    assert equal("0.75", "3/4", "number")
    assert not equal("18", "18.000001", "number")
    assert equal("18", "18.000001", "number", tolerance=1e-5)
    assert equal("1/3", "0.33333333", "number", tolerance=1e-6)
    assert not equal("1/3", "0.33333333", "number")
    assert not equal("eighteen", "18", "number")
    assert equal("(b)", "B", "choice")
    assert not equal("A", "B", "choice")
    assert equal("Yes.", "yes", "yesno")
    assert equal('"Barn, damp"', "barn damp", "text")
    assert equal("] ]", "]]", "text")
    assert not equal("] ]", "] )", "text")


def test_unknown_type() -> None:
    with pytest.raises(ValueError, match="unknown answer type 'numeric'"):
        extract("18", "numeric")
    with pytest.raises(ValueError, match="unknown answer type"):
        equal("18", "18", "numeric")
