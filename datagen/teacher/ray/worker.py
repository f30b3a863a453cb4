"""The Ray actor. It has one teacher, and answers one block of calls at a time."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

from datagen.errors import DatagenError, EngineDied, TeacherError
from datagen.teacher.chat.options import ChatOptions
from datagen.teacher.endpoint.throttle import Patience
from datagen.teacher.engines import make_engine
from datagen.teacher.spec import TeacherSpec

Call: TypeAlias = tuple[str, tuple[Any, ...]]
"""A method of a teacher and its arguments."""


@dataclass(frozen=True)
class WorkerFacts:
    """What a worker knows about its teacher after opening it."""

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
        chat: ChatOptions | None = None,
    ):
        os.environ.update(environment)
        self.teacher: Any = make_engine(spec, concurrency=concurrency, patience=patience, chat=chat)

    async def identify(self) -> str:
        return str(await self.teacher.identify())

    async def open(self) -> WorkerFacts:
        await self.teacher.open()
        return WorkerFacts(self.teacher.context if self.teacher.capabilities.topk else None)

    async def answer(self, calls: list[Call]) -> list[Any]:
        """Return one result for each call: its answer, or the error of that call alone."""
        return await asyncio.gather(
            *(self._answer_one(name, arguments) for name, arguments in calls)
        )

    async def _answer_one(self, name: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return await getattr(self.teacher, name)(*arguments)
        except EngineDied:
            # Ray starts another process in its place, and the block is asked again
            os._exit(1)
        except DatagenError as error:
            # returned, not raised: an error of one call must not lose the rest of the block
            return error
        except Exception as error:
            # an error of another package may not be picklable, or unknown to the asking process
            return TeacherError(f"{type(error).__name__}: {error}")
