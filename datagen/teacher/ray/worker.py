"""The Ray actor: one teacher of its own, asked for a block of calls at a time."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

from datagen.errors import DatagenError, EngineDied, TeacherError
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.engines import make_engine
from datagen.teacher.spec import TeacherSpec

Call: TypeAlias = tuple[str, tuple[Any, ...]]
"""A method of a teacher and its arguments."""


@dataclass(frozen=True)
class WorkerFacts:
    """What a worker knows of its teacher once that is open."""

    context: int | None
    """The most tokens of prompt and completion together; None for an engine that has no topk."""


class Worker:
    """One teacher, in a process of the cluster."""

    def __init__(
        self,
        spec: TeacherSpec,
        concurrency: int,
        patience: Patience | None,
        environment: dict[str, str],
    ):
        os.environ.update(environment)
        self.teacher: Any = make_engine(spec, concurrency=concurrency, patience=patience)

    async def identify(self) -> str:
        return str(await self.teacher.identify())

    async def open(self) -> WorkerFacts:
        await self.teacher.open()
        return WorkerFacts(self.teacher.context if self.teacher.capabilities.topk else None)

    async def answer(self, calls: list[Call]) -> list[Any]:
        """One result a call: its answer, or the error of that call alone."""
        return await asyncio.gather(*(self._one(name, arguments) for name, arguments in calls))

    async def _one(self, name: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return await getattr(self.teacher, name)(*arguments)
        except EngineDied:
            os._exit(1)  # Ray starts another in its place, and the block is asked again
        except DatagenError as error:
            return error  # its type says what it is, so it travels as it is
        except Exception as error:  # any other type may not survive the way back
            return TeacherError(f"{type(error).__name__}: {error}")
