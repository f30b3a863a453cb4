"""The settings of `datagen inspect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from datagen.flags import check


@dataclass(frozen=True)
class InspectSettings:
    """Write one HTML page about a run.

    The page shows counts, lengths, similarity, verbs, evolutions and samples, and it can search.
    """

    positional: ClassVar[tuple[str, ...]] = ("run",)

    run: Path
    """A run folder, finished or not, or the folder of a published version."""
    out: Path | None = None
    """The file of the page. By default this is inspect.html in the run folder. For a version, which
    never changes, it is VERSION.html beside the version's folder."""
    rows: int = 5000
    """The search covers at most this many rows. If the run has more, they are drawn at random. Each
    row adds about a kilobyte to the page."""
    samples: int = 3
    """Sample rows of the accepted rows, and of the rows rejected for each reason."""
    trees: int = 6
    """Evolutions of Evol-Instruct on the page, those with the most rounds first."""
    seed: int = 0
    """The seed for drawing rows and samples. The same seed gives the same page."""

    def __post_init__(self) -> None:
        """Raise UserError for a value that is out of range."""
        check(
            self,
            rows=(self.rows >= 0, "0 or more"),
            samples=(self.samples >= 0, "0 or more"),
            trees=(self.trees >= 0, "0 or more"),
        )
