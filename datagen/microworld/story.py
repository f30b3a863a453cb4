"""Collect the sentences and the steps of a word problem while it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

LARGEST = 900
"""The largest number of a problem. The tokenizer has a token for each digit. With at most three
digits, a small model can learn the arithmetic."""


class Unfit(Exception):
    """The numbers do not work out: one is too large, or a division leaves a rest."""


@dataclass
class Amount:
    """What one person owns at present."""

    name: str
    value: int
    event: int
    """The number of the sentence that stated the present value or a change of it."""
    line: int | None
    """The number of the step that computed the present value. None if the story states it."""


@dataclass
class Story:
    """The sentences of a question and the steps of its rationale."""

    rng: Random
    item: str
    events: list[tuple[str, set[int]]] = field(default_factory=list)
    """Sentences of the question. Each has the numbers of those that must stand before it."""
    lines: list[tuple[str, set[int]]] = field(default_factory=list)
    """Steps of the rationale. Each has the numbers of those that must stand before it."""
    equations: list[str] = field(default_factory=list)
    """The equations of the steps, in a form that does not depend on the order of operands."""

    def add_event(self, *sentences: str, after: set[int] | None = None) -> int:
        """Add one of several wordings of a sentence, and return its number."""
        self.events.append((self.rng.choice(sentences), after or set()))
        return len(self.events) - 1

    def step(
        self, left: int, op: str, right: int, sentence: str, after: set[int | None]
    ) -> tuple[int, int]:
        """Add a step to the rationale.

        Args:
            left: The left operand.
            op: One of + - * /.
            right: The right operand.
            sentence: The sentence of the step, with `{}` in the place of the equation.
            after: The numbers of the steps that must stand before it. None stands for a value
                that the story states.

        Returns:
            The value and the number of the step.

        Raises:
            Unfit: The value is too small or too large, or a division leaves a rest.
        """
        value = compute(left, op, right)

        # The order of operands does not make another problem, so it must not change the split.
        commutes = op in "+*"
        first, second = sorted((left, right)) if commutes else (left, right)
        self.equations.append(f"{first}{op}{second}")

        # Rationales vary in the order of operands, as human ones do.
        if commutes and self.rng.random() < 0.3:
            left, right = right, left
        text = sentence.format(f"{left} {op} {right} = {value}")
        self.lines.append((text, {number for number in after if number is not None}))
        return value, len(self.lines) - 1


def compute(left: int, op: str, right: int) -> int:
    """Return the result of an operation. Raises Unfit if it cannot stand in a problem."""
    if op == "/" and left % right:
        raise Unfit
    value = {"+": left + right, "-": left - right, "*": left * right, "/": left // right}[op]

    # With 0 or 1 the sentences would need a singular or would make no sense.
    if not 2 <= value <= LARGEST:
        raise Unfit
    return value
