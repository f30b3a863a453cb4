"""Metrics that move before the answer is right.

An exact match over L tokens behaves like p^L and hides steady progress (Schaeffer et al., arXiv
2304.15004). The log-probability of the gold answer and the edit distance to it do not.
"""

from __future__ import annotations

import re

from rapidfuzz.distance import Levenshtein

from datagen.answers.extract import TRIGGER
from datagen.teacher import Messages, Teacher

OPENING = re.compile(r"[ \t:]{0,4}([(\[$\"'*]{0,3})")
"""What may be between a trigger and its answer: a few blanks, and marks such as `**(`."""
LEAD = "The answer is"


def edit_distance(answer: str | None, gold: str) -> float:
    """Return the Levenshtein distance, divided by the longer length.

    0 is the same string; 1 is nothing in common, and also no answer.
    """
    return Levenshtein.normalized_distance(answer or "", gold)


def before_answer(text: str, mode: str) -> str:
    """Return the text up to its answer, so that the gold answer can replace the answer.

    The answer follows the last trigger, such as "The answer is". An opening bracket, quote or
    sign that the model wrote there is kept. Without a trigger, "The answer is" is appended to the
    reasoning. In direct mode it is the whole result, because the text itself is the answer. In bare
    mode the result is empty.
    """
    if mode == "bare":
        return ""
    last = max(TRIGGER.finditer(text), key=lambda match: match.end(), default=None)
    if last is None:
        return LEAD if mode == "direct" or not text.strip() else f"{text.rstrip()}\n{LEAD}"
    opening = OPENING.match(text, last.end())
    mark = opening.group(1) if opening else ""
    before = text[: last.end()].rstrip()
    # a brace belongs to LaTeX such as \boxed{, which takes no space
    return f"{before} {mark}" if mark and not before.endswith("{") else before + mark


async def gold_logprob(
    teacher: Teacher, prompt: str | Messages, *, text: str, gold: str, mode: str
) -> float | None:
    """Return the mean log-probability of the gold answer's tokens.

    The gold answer follows the model's own text up to its answer. Its tokens are those that the
    text with the gold answer has more than the text alone.

    Returns:
        Nats per token. None if the gold adds no token, because the tokenizer merges it with the
        text before it.

    Raises:
        UserError: the engine cannot score.
        TeacherError: the text does not fit the context.
    """
    before = before_answer(text, mode)
    # an opening bracket or quote is followed by the answer without a space
    gap = "" if not before or before.endswith(("{", "(", "[", "$", '"', "'", "*")) else " "
    # both in one request, so that the engine computes their common prefix once
    whole, start = await teacher.score_many([(prompt, before + gap + gold), (prompt, before)])
    tail = whole[len(start) :]
    return sum(tail) / len(tail) if tail else None
