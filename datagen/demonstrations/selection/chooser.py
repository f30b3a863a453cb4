"""The strategies of selection, as a run asks for them."""

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
    """Chooses under a run's settings; each pool is indexed once."""

    def __init__(self, settings: DemonstrationSettings, format: Format):
        self.settings, self.format = settings, format
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
        """K demonstrations for a query. Raises what `select` raises."""
        return await select(
            strategy,
            query.example,
            self._index(query.pool),
            k,
            asking=self._asking(query.pool, teacher),
            stream=stream,
        )

    def _index(self, pool: Pool) -> Indexed:
        if pool.task not in self._indexed:
            self._indexed[pool.task] = Indexed(pool, self.selection)
        return self._indexed[pool.task]

    def _asking(self, pool: Pool, teacher: Teacher) -> Asking:
        """The teacher is asked for scores as it will be for its prediction."""
        description = pool.description if self.settings.describe == "always" else ""
        return Asking(teacher, self.format, description, pool.options, self.settings.prompt_style)
