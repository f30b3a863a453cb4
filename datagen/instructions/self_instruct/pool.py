"""The pool that demonstrations are drawn from: seed tasks, and what the teacher wrote."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from random import Random

from datagen.instructions.self_instruct.settings import SelfInstructSettings
from datagen.sources.tasks import Task


@dataclass(frozen=True)
class Call:
    """One request for new instructions."""

    number: int
    demonstrations: tuple[Task, ...]


@dataclass
class Pool:
    """Seed tasks and accepted instructions."""

    seeds: Sequence[Task]
    machine: list[Task] = field(default_factory=list)
    """Instructions that the teacher wrote, in the order of their acceptance."""
    sizes: list[int] = field(default_factory=list)
    """How many of them there were after each call."""

    async def calls(self, settings: SelfInstructSettings) -> AsyncGenerator[Call]:
        """Yield calls without end."""
        for number in itertools.count():
            yield Call(number, self.demonstrations(number, settings))

    def demonstrations(self, number: int, settings: SelfInstructSettings) -> tuple[Task, ...]:
        """Return what call `number` shows, in random order.

        The call draws from the pool as it was `lag` calls ago, with a random stream of its own. So
        the result does not depend on how many calls are under way.
        """
        recipe = settings.recipe
        known = self.sizes[number - settings.lag] if number >= settings.lag else 0
        rng = Random(f"{settings.seed}:call:{number}")

        places = rng.sample(range(known), min(recipe.machine, known))
        drawn = [self.machine[place] for place in places]
        drawn += rng.sample(self.seeds, recipe.in_context - len(drawn))
        # otherwise the machine's own instructions would always come first
        rng.shuffle(drawn)
        return tuple(drawn)
