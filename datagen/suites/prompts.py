"""Write the prompts of the suites. All their wording stands here.

A prompt has three parts: the question, a request to reason, and an instruction how to end, so that
the answer can be extracted. The micro-world's models know only the words of their training
(`datagen.microworld.prompts`), so these words are used exactly.
"""

from __future__ import annotations

from datagen.suites.question import Question
from datagen.suites.table import Suite

ENDING = {
    "number": 'Finish with a line that says "The answer is N.", where N is the number alone.',
    "choice": 'Finish with a line that says "The answer is (X).", where X is the letter of the '
    "option you choose.",
    "yesno": 'Finish with a line that says "The answer is {yes}." or "The answer is {no}."',
    "text": 'Finish with a line that says "The answer is ...", with the answer alone in place of '
    "the dots.",
}
"""How a chain of thought shall end, by answer type. `datagen.answers` knows these endings."""
DIRECT = {
    "number": "Reply with the number alone, without working.",
    "choice": "Reply with the letter of the right option alone, without working.",
    "yesno": "Reply with {yes} or {no} alone, without working.",
    "text": "Reply with the answer alone, without working.",
}
"""The request for an answer without a chain of thought, by answer type."""
HINT = (
    "The correct answer is known to be {gold}. Work out, step by step and from the question "
    "alone, why it is so, "
    "without mentioning that you knew it."
)


def rationale_prompt(question: Question, suite: Suite) -> str:
    """Return the prompt that asks for a chain of thought.

    Args:
        question: The question.
        suite: Its suite, which has the request to reason.
    """
    if suite.bare:
        return question.question
    if suite.name == "microworld":
        from datagen.microworld.prompts import RATIONALE_SUFFIX

        return question.question + RATIONALE_SUFFIX
    return f"{question.question}\n{suite.trigger} {worded(ENDING, question)}"


def direct_prompt(question: Question, suite: Suite) -> str:
    """Return the prompt that asks for the answer alone.

    Args:
        question: The question.
        suite: Its suite.
    """
    if suite.bare:
        return question.question
    if suite.name == "microworld":
        from datagen.microworld.prompts import DIRECT_SUFFIX

        return question.question + DIRECT_SUFFIX
    return f"{question.question}\n{worded(DIRECT, question)}"


def hint_prompt(question: Question, suite: Suite, gold: str) -> str:
    """Return the prompt that shows the gold answer and asks for a chain of thought to it.

    Args:
        question: The question.
        suite: Its suite.
        gold: The gold answer in canonical form.

    Source:
        Rationalization in STaR, arXiv 2203.14465, section 3.2.
    """
    if suite.name == "microworld":
        from datagen.microworld.prompts import HINT_SUFFIX

        return question.question + HINT_SUFFIX.format(gold=gold)
    # The options stand in the question as "(A) bank", so the hint names the letter in brackets.
    named = f"({gold})" if question.answer_type == "choice" else gold
    return f"{question.question}\n{HINT.format(gold=named)} {worded(ENDING, question)}"


def worded(templates: dict[str, str], question: Question) -> str:
    """Return the template for the answer type of a question, with the words of its answers."""
    has_own_words = question.answer_type == "yesno" and len(question.options) == 2
    yes, no = question.options if has_own_words else ("yes", "no")
    return templates[question.answer_type].format(yes=yes, no=no)
