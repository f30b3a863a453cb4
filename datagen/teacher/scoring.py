"""Scoring many continuations at once, where an engine can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from typing import TypeAlias

from datagen.teacher.base import Messages, Teacher

Pair: TypeAlias = tuple[str | Messages, str]
"""A prompt and its continuation."""


async def score_many(teacher: Teacher, pairs: Sequence[Pair]) -> list[list[float]]:
    """Token log-probabilities in nats for each pair: in one batch with its shared prefix, or one
    after another.

    The values are those of `score`. Raises UserError where the engine cannot score, TeacherError
    where a pair does not fit the context."""
    if hasattr(teacher, "score_many"):
        return list(await teacher.score_many(pairs))
    return list(
        await asyncio.gather(
            *(teacher.score(prompt, continuation) for prompt, continuation in pairs)
        )
    )


def shared_prefix(sequences: Sequence[list[int]]) -> list[int]:
    """The longest run of tokens with which all begin; none for fewer than two, where nothing would
    be saved."""
    if len(sequences) < 2:
        return []
    first, last = (
        min(sequences),
        max(sequences),
    )  # in dictionary order: what these two share, all share
    return [
        a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    ]
