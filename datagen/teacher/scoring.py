"""Scoring many continuations, for engines that compute nothing together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from datagen.teacher.base import Pair, Teacher

__all__ = ["Pair", "score_each"]


async def score_each(teacher: Teacher, pairs: Sequence[Pair]) -> list[list[float]]:
    """`Teacher.score_many` by one `score` for each pair, all under way at once."""
    scores = (teacher.score(prompt, continuation) for prompt, continuation in pairs)
    return list(await asyncio.gather(*scores))
