"""What a Self-Instruct run counts besides its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.instructions.self_instruct.instances import Proposal
from datagen.schema import Accepted, Outcome, Rejected


@dataclass
class Tally:
    """Counts of calls and instructions, and why the run ended."""

    calls: int = 0
    """Calls for instructions whose proposals were all screened."""
    fruitless_in_a_row: int = 0
    """Calls in a row, up to the last one, that gave no new instruction."""
    parsed: int = 0
    """Instructions that the teacher proposed in a form that could be read."""
    accepted: int = 0
    with_rows: int = 0
    """Accepted instructions with at least one sound instance."""
    rows: int = 0
    """Sound instances. Other wordings of an instruction do not count."""
    classified: list[bool] = field(default_factory=list)
    """Whether each instruction is a classification task, where the teacher was asked."""

    def count_proposal(self, screened: Proposal | Rejected) -> None:
        """Count a proposal that was accepted or rejected."""
        self.accepted += isinstance(screened, Proposal)
        self.parsed += isinstance(screened, Proposal) or bool(screened.row["instruction"])

    def count_call(self, *, fruitless: bool) -> int:
        """Count a call. Returns how many calls in a row gave no new instruction."""
        self.calls += 1
        self.fruitless_in_a_row = self.fruitless_in_a_row + 1 if fruitless else 0
        return self.fruitless_in_a_row

    def count_rows(self, outcomes: Sequence[Outcome]) -> None:
        """Count the rows of an accepted instruction."""
        sound = sum(isinstance(o, Accepted) and not o.row.get("operation") for o in outcomes)
        self.rows += sound
        self.with_rows += sound > 0
        # all rows of an instruction have the same label
        label = outcomes[0].row.get("is_classification")
        if label is not None:
            self.classified.append(label)

    def report(self, target: int) -> dict[str, Any]:
        """Return what the run adds to `stats.json`.

        Args:
            target: how many accepted instructions were wanted.
        """
        reached = self.accepted >= target
        return {
            "ended": "target" if reached else "patience",
            # the call that reached the target is not counted elsewhere
            "calls": self.calls + reached,
            "instructions": {
                "parsed": self.parsed,
                "accepted": self.accepted,
                "with_rows": self.with_rows,
            },
            "classification": mean(sum(self.classified), len(self.classified)),
            "instances_per_instruction": mean(self.rows, self.with_rows),
        }


def mean(total: int, count: int) -> float | None:
    """Return the mean to four digits, or None for no items."""
    return round(total / count, 4) if count else None
