"""What `datagen inspect` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from datagen.errors import UserError


@dataclass(frozen=True)
class InspectSettings:
    """Write one HTML page about a run: counts, lengths, similarity, verbs, evolutions, samples,
    search.
    """

    positional: ClassVar[tuple[str, ...]] = ("run",)

    run: Path
    """A run folder, finished or not, or the folder of a published version."""
    out: Path | None = None
    """The page, by default inspect.html in the run folder (RUN.html beside a version, which is
    never changed)."""
    rows: int = 5000
    """The search covers this many rows at most, drawn at random where there are more. A row is
    about a kilobyte."""
    samples: int = 3
    """Rows shown as samples of the accepted and of every reason."""
    trees: int = 6
    """Evolutions shown side by side, the longest first."""
    seed: int = 0
    """Of what is drawn at random."""

    def __post_init__(self) -> None:
        """Raises UserError for values out of range."""
        for flag in ("rows", "samples", "trees"):
            if getattr(self, flag) < 0:
                raise UserError(f"--{flag} {getattr(self, flag)}: must be 0 or more")
