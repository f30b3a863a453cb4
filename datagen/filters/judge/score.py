"""How a judge is asked for a score, and how its answer is read.

Rubrics are templates (`quality.txt`, `helpfulness.txt`, `difficulty.txt`, or one of your own) that
ask for a line `Score: N`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from datagen.filters.judge.settings import JudgeSettings
from datagen.prompts.templates import Templates
from datagen.schema import Accepted, Outcome, Rejected, Row
from datagen.sources.rows import fields
from datagen.teacher import Completion, Request, Sampling, Teacher

LABEL = re.compile(r"(?:\bScore|分数)[ \t]{0,3}[:：]")
LINE = re.compile(
    r"^[ \t]{0,8}(?:Score|分数)[ \t]{0,3}[:：][ \t]{0,3}([1-9]|10)[ \t]{0,3}[.。]?[ \t]{0,8}$",
    re.MULTILINE,
)
"""A line with a score and nothing else. Every repetition is bounded, so that no text makes the
pattern slow."""

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
"""The same judgement as a structured output. The reasons come first, as in the text: a judge that
writes them before the score has thought about them."""


async def judge_row(
    row: Row, teacher: Teacher, *, templates: Templates, settings: JudgeSettings
) -> list[Outcome]:
    """Return the row with its score, accepted or rejected. Its other columns stay as they were."""
    (answer,) = await teacher.complete(request_for(row, templates, settings))
    score = read_structured(answer) if settings.structured else read_score(answer)

    scored = row | {"score": score}
    reason = reason_to_reject(score, settings.at_least)
    if reason is None:
        return [Accepted(scored, "instructions")]
    detail = settings.rubric if score is None else f"{settings.rubric} {score}"
    return [Rejected(scored | {"detail": detail}, reason)]


def request_for(row: Row, templates: Templates, settings: JudgeSettings) -> Request:
    """Return the request for the score of a row."""
    # greedy: the same row gets the same score
    sampling = Sampling(
        temperature=0.0,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
        schema=SCHEMA if settings.structured else "",
    )
    return Request(templates.messages(settings.rubric, **fields(row)), sampling=sampling)


def read_score(answer: Completion) -> int | None:
    """Return the whole number from 1 to 10 of the only line `Score: N`.

    Returns:
        None for any other answer: no such line, two scores, a fraction, a range, or a scale behind
        the number. None also for an answer that was cut off, because its 1 may begin a 10.
    """
    lines = LINE.findall(answer.text)
    labels = LABEL.findall(answer.text)
    if answer.finish_reason == "length" or len(lines) != 1 or len(labels) != 1:
        return None
    return int(lines[0])


def read_structured(answer: Completion) -> int | None:
    """Return the score of an answer that follows SCHEMA. None for any other answer."""
    try:
        score = json.loads(answer.text)["score"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    # in Python, True is an int
    is_whole = isinstance(score, int) and not isinstance(score, bool)
    return score if is_whole and 1 <= score <= 10 and answer.finish_reason != "length" else None


def reason_to_reject(score: int | None, at_least: float | None = None) -> str | None:
    """Return the reason to reject a row with this score, or None.

    Args:
        score: from 1 to 10. None if the judgement could not be read.
        at_least: lowest score to keep. Default: every score.
    """
    if score is None:
        return "unparseable_score"
    return "low_score" if at_least is not None and score < at_least else None


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """Return how many rows got each score, and the mean score."""
    scores: Counter[int] = Counter()
    for rows in items:
        scores.update(row["score"] for row in rows if row.get("score") is not None)

    total = sum(scores.values())
    points = sum(score * count for score, count in scores.items())
    return {
        "scores": {str(score): scores[score] for score in sorted(scores)},
        "mean_score": round(points / total, 3) if total else None,
    }
