"""Selection as a run uses it: one index for each pool, one way to ask the teacher."""

from __future__ import annotations

from datagen.demonstrations.pools import Pool, Query
from datagen.demonstrations.selection.select import (
    Asking,
    Indexed,
    Selection,
    SelectionSettings,
    select,
)
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.prompts.episodes import Format
from datagen.teacher import Teacher


class Chooser:
    """Chooses demonstrations under the settings of a run. Each pool is indexed once."""

    def __init__(self, settings: DemonstrationSettings, format: Format):
        self.settings = settings
        self.format = format
        self.selection = SelectionSettings(
            balance=settings.balance,
            encoder=settings.encoder,
            considered=settings.considered,
            seed=settings.seed,
        )
        self._indexed: dict[str, Indexed] = {}

    async def __call__(
        self, query: Query, k: int, teacher: Teacher, *, strategy: str, stream: str
    ) -> Selection:
        """Return k demonstrations for a query. Raises what `select` raises."""
        return await select(
            strategy,
            query.example,
            self._index(query.pool),
            k,
            asking=self._asking(query.pool, teacher),
            stream=stream,
        )

    def _index(self, pool: Pool) -> Indexed:
        # an index takes time, and all queries of a task share it
        if pool.task not in self._indexed:
            self._indexed[pool.task] = Indexed(pool, self.selection)
        return self._indexed[pool.task]

    def _asking(self, pool: Pool, teacher: Teacher) -> Asking:
        """Return how the teacher is asked for scores: exactly as for its prediction."""
        description = pool.description if self.settings.describe == "always" else ""
        return Asking(teacher, self.format, description, pool.options, self.settings.prompt_style)
