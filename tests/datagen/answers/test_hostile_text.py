"""Text made to hang a parser: linear work takes well under a second, quadratic work runs into the
time limit."""

from __future__ import annotations

import pytest

from datagen.answers import ANSWER_TYPES, equation_validity, equations, extract

SIZE = 250_000
PATTERNS = {
    "digits": "7",
    "open brackets": "(",
    "open braces": "{",
    "nested frac": r"\frac{",
    "nested boxed": r"\boxed{",
    "nested text": r"\text{",
    "triggers": "The answer is ",
    "line triggers": "A:\n",
    "hashes": "####\n",
    "unfinished triggers": "answer to ",
    "spaces": " ",
    "newlines": "\n",
    "groups": "1,111,",
    "slashes": "1/",
    "mixed numbers": "1 1/",
    "minus signs": "-",
    "equations": "1+1=",
    "equals": "=",
    "annotations": "<<1+1=2",
    "points": "1.",
    "sentences": ". A",
    "words": "a",
    "negations": "not ",
    "quotes": 'The answer is "',
    "letters": "(A",
    "times": "1 x ",
    "percent": "1%",
    "spaced groups": "111 ",
    "points in groups": "1.111.",
    "indian groups": "1,11,",
    "number words": "one hundred and ",
    "number words in a row": "twenty-",
    "powers": "2^",
    "powers of ten": "3 x 10^",
    "vulgar fractions": "1\u00bd",
    "superscripts": "\u00b2",
    "other digits": "\u0661",
    "units": "3 km and ",
    "wordy units": "word ",
    "denials": "not 5, not 6, ",
    "several letters": "(A) or ",
    "letters and commas": "A, B, ",
    "retractions": "No, wait. ",
    "italics": "_a ",
    "bold": "**",
    "struck out": "~~a",
    "tags": "</b><sup>",
    "months": "May 3 ",
    "currencies": "Rs. $",
    "abbreviations": "Mr. ",
    "yes or no": "yes or no, ",
    "which is": "3 + 4, which is ",
    "option": "option ",
    "latex answers": r"The answer is \sqrt{2}+x. ",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_linear_time_and_only_answers_of_the_type(pattern: str) -> None:
    text = pattern * (SIZE // len(pattern))
    for answer_type in ANSWER_TYPES:
        hostile = (
            f"#### {text} x y\nThe answer is {text}" if answer_type in ("number", "text") else text
        )
        answer = extract(
            hostile, answer_type, options=("bank", "store") if answer_type == "choice" else ()
        )
        assert answer is None or is_answer(answer, answer_type, hostile)
    share = equation_validity(f"({text[: SIZE // 5]}=1")
    assert share is None or 0 <= share <= 1


def is_answer(answer: str, answer_type: str, text: str) -> bool:
    """Whether a string can be an answer of the type at all: a short number, an offered letter, yes
    or no, a part of the text."""
    if answer_type == "number":
        return len(answer) < 200 and any(c.isdigit() for c in answer)
    if answer_type == "text":
        return 0 < len(answer) <= len(text)
    return answer in {"choice": ("A", "B"), "yesno": ("yes", "no")}[answer_type]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "1e999999999",
        "1e-999999999",
        "9" * 1_000_000,
        "0." + "3" * 1_000_000,
        "1/" + "9" * 1_000_000,
        r"\boxed{9^{9^{9^{9}}}}",
        r"\boxed{9^{999999999}}",
        r"\boxed{999999999!}",
        r"\boxed{\sum_{i=1}^{999999999} i}",
        r"\boxed{" + r"\frac{1}{" * 30 + "1" + "}" * 31,
        r"\boxed{" + "(" * 40 + "1" + ")" * 40 + "}",
        r"\boxed{\sqrt{" + "9" * 100_000 + "}}",
    ],
)
def test_no_answer_and_no_hang(text: str) -> None:
    answer = extract(f"The answer is {text}", "number")
    assert answer is None or len(answer) < 200


@pytest.mark.timeout(60)
def test_deep_parentheses_are_computed() -> None:
    deep = "(" * 90 + "1+1" + ")" * 90
    assert equations(f"{deep}=2") == (f"{deep}=2",)
    assert equation_validity(f"{deep}=2") == 1.0
