"""What a word problem is told from: amounts, and the lines of its story."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

LARGEST = 900


class Unfit(Exception):
    """The numbers do not work out (too large, not divisible): draw again."""


@dataclass
class Amount:
    """What one person owns: its present value, and the event and the line that made it."""

    name: str
    value: int
    event: int
    line: int | None


@dataclass
class Story:
    """A word problem in the making: its events, and the steps of its rationale."""

    rng: Random
    item: str
    events: list[tuple[str, set[int]]] = field(default_factory=list)
    """Sentences of the question, each with the sentences that must stand before it."""
    lines: list[tuple[str, set[int]]] = field(default_factory=list)
    """Steps of the rationale, likewise."""
    equations: list[str] = field(default_factory=list)

    def tell(self, *sentences: str, after: set[int] | None = None) -> int:
        self.events.append((self.rng.choice(sentences), after or set()))
        return len(self.events) - 1

    def step(
        self, left: int, op: str, right: int, sentence: str, after: set[int | None]
    ) -> tuple[int, int]:
        """Add a step; `sentence` has `{}` where the equation goes.

        Returns its value and its number.
        """
        value = compute(left, op, right)
        self.equations.append(
            "{}{}{}".format(
                *((min(left, right), op, max(left, right)) if op in "+*" else (left, op, right))
            )
        )
        if op in "+*" and self.rng.random() < 0.3:
            left, right = right, left
        self.lines.append(
            (sentence.format(f"{left} {op} {right} = {value}"), {a for a in after if a is not None})
        )
        return value, len(self.lines) - 1


def compute(left: int, op: str, right: int) -> int:
    if op == "/" and left % right:
        raise Unfit
    value = {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[op]
    if not 2 <= value <= LARGEST:
        raise Unfit
    return value
