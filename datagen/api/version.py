"""A published version as an object: its lineage and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datagen.errors import UserError
from datagen.records.lineage import Lineage
from datagen.records.serialise import to_json
from datagen.versions import version as stored
from datagen.versions.hub import verify_commit
from datagen.versions.local import open_version, verify
from datagen.versions.locate import locate

if TYPE_CHECKING:
    import pandas
    from datasets import Dataset


@dataclass(frozen=True)
class Version:
    """An immutable dataset version: what `Run.publish` and `load_version` return.

    Example:
        >>> import datagen
        >>> run = datagen.open_run(folder / "chains")
        >>> version = run.publish("sums", store=folder / "store", license="apache-2.0")
        >>> version.reference, version.lineage.teacher.name
        ('sums@1.0.0', 'micro')
        >>> version.load("rationales").num_rows == run.stats.accepted["rationales"]
        True
    """

    name: str
    version: str
    """The number, such as 1.2.0."""
    path: Path
    """The folder with the card, the lineage and, of a version in a store, the rows."""
    content_sha256: str
    """Hash of the rows, the columns and the methods."""
    lineage: Lineage
    """What the version is made from: teacher, source, settings, prompts, counts, hashes."""
    commit: str | None = None
    """The commit on the Hub."""

    @property
    def reference(self) -> str:
        """NAME@VERSION, as the commands take it."""
        return f"{self.name}@{self.version}"

    @property
    def configs(self) -> dict[str, int]:
        """The number of rows of each config."""
        return {name: config["rows"] for name, config in self._stored.configs.items()}

    def load(self, config: str | None = None) -> Dataset:
        """The rows of a config as a `datasets.Dataset`.

        Args:
            config: such as "rationales". Default: the first.

        Raises:
            UserError: the version has no such config, or its files cannot be had.
        """
        from datasets import load_dataset

        name = self._checked(config)
        folder = self._with_files().path
        return load_dataset(str(folder), name, split="train")

    def to_pandas(self, config: str | None = None) -> pandas.DataFrame:
        """The rows of a config as a pandas DataFrame, all in memory.

        Args:
            config: such as "rationales". Default: the first.

        Raises:
            UserError: the version has no such config, or its files cannot be had.
        """
        return self.load(config).to_pandas()

    def verify(self) -> None:
        """Recompute every hash. Raises UserError naming the first file that differs.

        The files of a version on the Hub are compared with its commit too.
        """
        if self.commit is None:
            # read anew: the hash covers the file, and this object holds only the keys it knows
            verify(open_version(self.path))
            return
        version = self._with_files()
        verify(version)
        verify_commit(version)

    @property
    def _stored(self) -> stored.Version:
        lineage = to_json(self.lineage)
        return stored.Version(
            self.name, self.version, self.path, self.content_sha256, lineage, self.commit
        )

    def _with_files(self) -> stored.Version:
        """Of a version on the Hub, its files in the Hub client's cache."""
        if self.commit is None:
            return self._stored
        return locate(self.reference, store=None)

    def _checked(self, config: str | None) -> str:
        known = [name for name, rows in self.configs.items() if rows]
        name = config or known[0]
        if name not in known:
            raise UserError(f"{self.reference} has no config {name!r}: there are {known}")
        return name

    @classmethod
    def of(cls, found: stored.Version) -> Version:
        """The object of a version that was found in a store or on the Hub."""
        return cls(
            found.name,
            found.version,
            found.path,
            found.content_sha256,
            Lineage.read(found.lineage, f"{found.path}/lineage.json"),
            found.commit,
        )


def load_version(reference: str | Path, *, store: str | Path | None = None) -> Version:
    """Find a version, and check the hashes of its files.

    Args:
        reference: NAME@1.0.0, NAME for its newest version, or a version's folder. ORG/NAME that the
            store does not have comes from the Hub.
        store: the folder that holds the versions. Default: $EMERGENT_STORE, else ./datasets.

    Returns:
        The version.

    Raises:
        UserError: there is no such version, or a file was changed.

    Example:
        >>> import datagen
        >>> datagen.load_version("sums", store=folder / "store").version
        '1.0.0'
    """
    return Version.of(locate(str(reference), store=Path(store) if store else None))
