"""Count what was read of a source, and give every row an id of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from datagen.records.stats import SourceCounts
from datagen.schema import content_id


@dataclass
class SourceTally:
    """What was read of a source, and what was not.

    Example:
        >>> tally = SourceTally(rows=3)
        >>> tally.left_out["empty"] += 1
        >>> tally.lines()
        ['source:    1 of 3 rows left out: empty 1']
    """

    rows: int = 0
    repeats: int = 0
    shared_ids: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    columns: dict[str, None] = field(default_factory=dict)
    """Columns that hold something and are not read, in the order in which they were found."""
    splits: list[str] = field(default_factory=list)
    """Splits that are not read."""

    def unread(self, columns: Iterable[str]) -> None:
        """Record columns that are not read."""
        self.columns |= dict.fromkeys(columns)

    def counts(self) -> SourceCounts | None:
        """Return the counts as the statistics of a run hold them; None if nothing was read."""
        if not self.rows:
            return None
        return SourceCounts(
            rows=self.rows,
            repeats=self.repeats,
            shared_ids=self.shared_ids,
            left_out=dict(sorted((+self.left_out).items())),
            unread_columns=tuple(self.columns),
            unread_splits=tuple(dict.fromkeys(self.splits)),
        )

    def lines(self) -> list[str]:
        """Return a line for each thing that was not read as it stands."""
        counts = self.counts()
        return counts.lines() if counts else []


class Ids:
    """Gives every row an id of its own. An id in a file can stand in several rows.

    Args:
        tally: Counts the rows that repeat an earlier one, and those that share its id.

    Example:
        >>> ids = Ids(SourceTally())
        >>> ids.claim("1", "Name a fruit."), ids.claim("1", "Name a fruit.")
        ('1', None)
        >>> ids.claim("1", "Name a tool.") == content_id("1", content_id("Name a tool."))
        True
    """

    def __init__(self, tally: SourceTally):
        self._tally = tally
        self._contents: dict[str, str] = {}

    def claim(self, name: str, *content: Any) -> str | None:
        """Return the id of a row.

        Args:
            name: The id that the file gives, or one made of the content.
            content: JSON values without floats that tell the row from others.

        Returns:
            The name, or another id if an earlier row with another content has that name. None for
            a row that repeats an earlier one.
        """
        digest = content_id(*content)
        for candidate in (name, content_id(name, digest)):
            if candidate not in self._contents:
                self._contents[candidate] = digest
                self._tally.shared_ids += candidate != name
                return candidate
            if self._contents[candidate] == digest:
                break
        self._tally.repeats += 1
        return None
