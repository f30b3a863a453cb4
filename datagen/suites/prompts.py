"""All prompts of the suites, in one place.

A prompt is the question, a request to reason, and how to end, so that the answer can be found. The
micro-world's model knows only the words it was trained on (`datagen.microworld.prompts`), and they
are used exactly.
"""

from __future__ import annotations

from datagen.suites.question import Question
from datagen.suites.table import Suite

ENDING = {
    "number": 'Finish with a line that says "The answer is N.", where N is the number alone.',
    "choice": 'Finish with a line that says "The answer is (X).", where X is the letter of '
    "the option you choose.",
    "yesno": 'Finish with a line that says "The answer is {yes}." or "The answer is {no}."',
    "text": 'Finish with a line that says "The answer is ...", with the answer alone in '
    "place of the dots.",
}
DIRECT = {
    "number": "Reply with the number alone, without working.",
    "choice": "Reply with the letter of the right option alone, without working.",
    "yesno": "Reply with {yes} or {no} alone, without working.",
    "text": "Reply with the answer alone, without working.",
}
HINT = (
    "The correct answer is known to be {gold}. Work out, step by step and from the question "
    "alone, why it is so, "
    "without mentioning that you knew it."
)


def rationale_prompt(question: Question, suite: Suite) -> str:
    """The question, the suite's trigger, and how to end."""
    if suite.bare:
        return question.question
    if suite.name == "microworld":
        from datagen.microworld.prompts import RATIONALE_SUFFIX

        return question.question + RATIONALE_SUFFIX
    return f"{question.question}\n{suite.trigger} {worded(ENDING, question)}"


def direct_prompt(question: Question, suite: Suite) -> str:
    """The question, and the wish for the answer alone."""
    if suite.bare:
        return question.question
    if suite.name == "microworld":
        from datagen.microworld.prompts import DIRECT_SUFFIX

        return question.question + DIRECT_SUFFIX
    return f"{question.question}\n{worded(DIRECT, question)}"


def hint_prompt(question: Question, suite: Suite, gold: str) -> str:
    """The question with its answer given away, for a rationale after the fact (STaR, arXiv
    2203.14465).
    """
    if suite.name == "microworld":
        from datagen.microworld.prompts import HINT_SUFFIX

        return question.question + HINT_SUFFIX.format(gold=gold)
    shown = f"({gold})" if question.answer_type == "choice" else gold
    return f"{question.question}\n{HINT.format(gold=shown)} {worded(ENDING, question)}"


def worded(templates: dict[str, str], question: Question) -> str:
    yes, no = (
        question.options
        if question.answer_type == "yesno" and len(question.options) == 2
        else ("yes", "no")
    )
    return templates[question.answer_type].format(yes=yes, no=no)
