"""The statistics of a run: `stats.json` of a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.records.serialise import from_json, optional, rest, to_json


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
