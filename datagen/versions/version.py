"""A published version, as it lies in a folder or at a commit on the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cards.runs import configs_of
from datagen.errors import UserError


@dataclass(frozen=True)
class Version:
    """A published version, as it lies in a folder."""

    name: str
    version: str
    path: Path
    """Its folder. Of a version on the Hub it holds the card and the lineage alone."""
    content_sha256: str
    lineage: dict[str, Any]
    commit: str | None = None
    """The commit on the Hub."""

    @property
    def configs(self) -> dict[str, dict[str, Any]]:
        """Rows and columns of its configs, and which families they come from."""
        return configs_of(self.lineage)

    def files_of(self, config: str, family: str | None = None) -> list[Path]:
        """The Parquet files of a config in order: of all families that have it, or of one."""
        families = self.configs.get(config, {"runs": {}})["runs"] if family is None else [family]
        return [
            self.path / name
            for family in families
            for name in names_of(self.lineage, config, family)
        ]

    def run(self, family: str | None = None) -> tuple[str, dict[str, Any]]:
        """The one run that it holds, or that of a family, with the family's name.

        Raises UserError.
        """
        runs = self.lineage["runs"]
        if family is None and len(runs) == 1:
            (family,) = runs
        if family not in runs:
            raise UserError(
                f"{self.name}@{self.version} holds {', '.join(runs)}: "
                + ("say which with --family" if family is None else f"no {family}")
            )
        return str(family), runs[family]


def names_of(lineage: dict[str, Any], config: str, family: str) -> list[str]:
    """The Parquet files, in order, of what a family has of a config: they bear the hash of its
    rows.
    """
    ending = f"-{lineage['runs'][family]['configs'][config]['rows_sha256'][:16]}.parquet"
    return [
        name
        for name in sorted(lineage["files"])
        if name.startswith(f"{config}/") and name.endswith(ending)
    ]
