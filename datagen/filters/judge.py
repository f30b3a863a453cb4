"""A teacher as judge: scores from 1 to 10 by a rubric, as a column and as a filter.

Rubrics are templates (`quality.txt`, `helpfulness.txt`, `difficulty.txt`, or one of your own) that
ask for a line `Score: N`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from datagen.prompts.templates import Templates
from datagen.teacher import Completion, Request, Sampling, Teacher

LABEL = re.compile(r"(?:\bScore|分数)[ \t]{0,3}[:：]")
LINE = re.compile(
    r"^[ \t]{0,8}(?:Score|分数)[ \t]{0,3}[:：][ \t]{0,3}([1-9]|10)[ \t]{0,3}[.。]?[ \t]{0,8}$",
    re.MULTILINE,
)

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "reasons": {
                "type": "string",
                "description": "What speaks for the score and against it.",
            },
            "score": {"type": "integer", "enum": list(range(1, 11))},
        },
        "required": ["reasons", "score"],
        "additionalProperties": False,
    }
)
"""The same judgement as a structured output, for endpoints that have these."""


async def judge(
    instruction: str,
    response: str,
    teacher: Teacher,
    *,
    rubric: str,
    templates: Templates,
    sampling: Sampling,
    structured: bool = False,
) -> int | None:
    """The judge's score of a response, or of the instruction where the rubric asks for no more;
    None for no score.
    """
    if structured:
        sampling = replace(sampling, schema=SCHEMA)
    question = templates.messages(rubric, instruction=instruction, response=response)
    (said,) = await teacher.complete(Request(question, sampling=sampling))
    return read_structured(said) if structured else read_score(said)


def read_score(said: Completion) -> int | None:
    """The whole number from 1 to 10 of the one line `Score: N`.

    None for any other answer: no such line, two scores, a fraction, a range, a scale behind it, an
    answer cut off (the 1 may be the beginning of a 10).
    """
    lines = LINE.findall(said.text)
    if said.finish_reason == "length" or len(lines) != 1 or len(re.findall(LABEL, said.text)) != 1:
        return None
    return int(lines[0])


def read_structured(said: Completion) -> int | None:
    """The score of an answer by SCHEMA; None for any other."""
    try:
        score = json.loads(said.text)["score"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = isinstance(score, int) and not isinstance(score, bool)
    return score if whole and 1 <= score <= 10 and said.finish_reason != "length" else None


def reason(score: int | None, at_least: float | None = None) -> str | None:
    """Why a row goes: `unparseable_score`, or `low_score` below the threshold.

    None for one that stays.
    """
    if score is None:
        return "unparseable_score"
    return "low_score" if at_least is not None and score < at_least else None
