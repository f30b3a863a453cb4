"""Scoring many continuations, for engines that cannot share computation between them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from datagen.teacher.base import Pair, Teacher

__all__ = ["Pair", "score_each"]


async def score_each(teacher: Teacher, pairs: Sequence[Pair]) -> list[list[float]]:
    """Return what `Teacher.score` returns for each pair. All pairs are scored at the same time."""
    scores = (teacher.score(prompt, continuation) for prompt, continuation in pairs)
    return list(await asyncio.gather(*scores))
