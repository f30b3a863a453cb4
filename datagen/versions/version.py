"""A published version: its name, number, folder and lineage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.records.lineage import configs_of


@dataclass(frozen=True)
class Version:
    """A published version, in a folder or at a commit on the Hub."""

    name: str
    version: str
    path: Path
    """Its folder. For a version on the Hub, the folder holds only the card and the lineage until
    the version is downloaded."""
    content_sha256: str
    lineage: dict[str, Any]
    commit: str | None = None
    """The commit on the Hub. None for a version in a local store."""

    @property
    def configs(self) -> dict[str, dict[str, Any]]:
        """Rows and columns of each config, and the families that have it."""
        return configs_of(self.lineage)

    def files_of(self, config: str, family: str | None = None) -> list[Path]:
        """Return the Parquet files of a config, in order.

        Args:
            config: the name of the config.
            family: whose files. Default: those of all families that have the config.
        """
        if family is None:
            families = list(self.configs.get(config, {"runs": {}})["runs"])
        else:
            families = [family]

        files: list[Path] = []
        for its in families:
            files += [self.path / name for name in names_of(self.lineage, config, its)]
        return files

    def run(self, family: str | None = None) -> tuple[str, dict[str, Any]]:
        """Return the run of a family, with the family's name.

        Args:
            family: which run. Default: the only one.

        Raises:
            UserError: there is no such run, or there are several and none was named.
        """
        runs = self.lineage["runs"]
        if family is None and len(runs) == 1:
            (family,) = runs
        if family not in runs:
            advice = "say which with --family" if family is None else f"no {family}"
            raise UserError(f"{self.name}@{self.version} holds {', '.join(runs)}: {advice}")
        return str(family), runs[family]


def names_of(lineage: dict[str, Any], config: str, family: str) -> list[str]:
    """Return the names of a family's Parquet files of a config, in order.

    Several families can share a config. The end of a file's name is the hash of its family's rows,
    so the name tells whose file it is.

    Args:
        lineage: the lineage of a version.
        config: the name of the config.
        family: one of the families that have the config.
    """
    rows_sha256 = lineage["runs"][family]["configs"][config]["rows_sha256"]
    # 16 digits, as `datagen publish` writes them into the names
    ending = f"-{rows_sha256[:16]}.parquet"
    files = sorted(lineage["files"])
    return [name for name in files if name.startswith(f"{config}/") and name.endswith(ending)]
