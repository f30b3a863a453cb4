"""The statistics of a run: `stats.json` of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datagen.records.serialise import from_json, optional, rest, to_json

MOST_NAMES = 12
"""Columns that a summary names. More would hide its other lines."""


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """What was read of a user's file, and what was not.

    Example:
        >>> counts = SourceCounts(rows=9, repeats=2, unread_columns=("category",))
        >>> for line in counts.lines():
        ...     print(line)
        source:    2 of 9 rows repeat an earlier row and were used once
        source:    column category is not read
    """

    rows: int
    """Rows that were read."""
    repeats: int = 0
    """Rows that say the same as an earlier row. They were not used again."""
    shared_ids: int = 0
    """Rows with the id of another row. They were used under an id of their own."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that could not be used, by reason."""
    unread_columns: tuple[str, ...] = ()
    """Columns that hold something and were not read."""
    unread_splits: tuple[str, ...] = ()
    """Splits of the dataset that were not read."""

    def lines(self) -> list[str]:
        """Return a line for each thing that was not read as it stands. Usually there is none."""
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.left_out.items())
        left_out = sum(self.left_out.values())
        of = f"of {self.rows:,} rows"
        said = (
            (left_out, f"{left_out:,} {of} left out: {reasons}"),
            (self.repeats, f"{self.repeats:,} {of} repeat an earlier row and were used once"),
            (self.shared_ids, f"{self.shared_ids:,} {of} share an id and got one of their own"),
            (self.unread_columns, not_read("column", self.unread_columns)),
            (self.unread_splits, not_read("split", self.unread_splits)),
        )
        return [f"source:    {line}" for is_there, line in said if is_there]


def not_read(what: str, names: Sequence[str]) -> str:
    """Return the words that say that columns or splits were not read."""
    shown = ", ".join(names[:MOST_NAMES])
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return (
        f"{what} {shown} is not read" if len(names) == 1 else f"{what}s {shown}{more} are not read"
    )


@dataclass(frozen=True, kw_only=True)
class RunStats:
    """Counts, tokens, cost, and what the method measured.

    Example:
        >>> stats = RunStats.read(
        ...     {"finished": True, "questions": 2, "accepted": {"rationales": 3},
        ...      "rejected": {"wrong": 1}, "answers": 4, "completion_tokens": 40,
        ...      "prompt_tokens": 20, "seconds": 1.5, "samples": 2.0}, "stats.json")
        >>> stats.accepted["rationales"], stats.rejected["wrong"], stats["samples"]
        (3, 1, 2.0)
    """

    finished: bool
    """Whether the Parquet files are whole."""
    questions: int
    """Items that the method was given."""
    accepted: Mapping[str, int]
    """Rows by config."""
    rejected: Mapping[str, int]
    """Rows by reason."""
    answers: int
    """Completions that the teacher gave."""
    completion_tokens: int
    prompt_tokens: int
    cached_tokens: int = 0
    """Prompt tokens that the endpoint found in its cache."""
    estimated_answers: int | None = optional()
    """Answers whose tokens are estimated, because the endpoint gave no possible count."""
    fields_left_out: Mapping[str, int] | None = optional()
    """Answers by the field of the request that the endpoint does not take."""
    cost: float | None = None
    """In `currency`; None where the price is unknown."""
    currency: str | None = None
    measured: Mapping[str, Any] = rest()
    """What a method measures, such as agreement and accuracy."""
    seconds: float = 0.0
    code_commit: str | None = None
    """The commit of the checkout that made the run; None for an installed release."""
    source: SourceCounts | None = optional()
    """What was read of the source. None if it was no file, or by an older release."""
    teacher_topk: Mapping[str, Any] | None = optional()
    """What `datagen topk` stored: rows, tokens, bytes and time."""
    probe: Mapping[str, Any] | None = optional()
    """What `train probe` found, by config."""

    @classmethod
    def read(cls, data: Any, where: str) -> RunStats:
        """Return the statistics in a JSON object.

        Raises:
            UserError: the object is damaged.
        """
        return from_json(cls, data, where)

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key of stats.json.

        Raises:
            KeyError: there is no such key.
        """
        return to_json(self)[name]
