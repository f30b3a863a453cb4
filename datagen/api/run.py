"""A finished run as an object: its figures, its rows, and its publication."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.api.settings import settings_from
from datagen.api.version import Version
from datagen.errors import UserError
from datagen.records.config import RunConfig
from datagen.records.serialise import to_json
from datagen.records.stats import RunStats
from datagen.run.folder import read_run
from datagen.run.job import RunResult, summary
from datagen.versions.parquet import rows

if TYPE_CHECKING:
    import pandas
    from datasets import Dataset


@dataclass(frozen=True)
class Run:
    """A finished run: what `generate_...`, `filter_rows`, `judge_rows` and `store_topk` return.

    Example:
        >>> import datagen
        >>> run = datagen.generate_rationales(
        ...     "microworld", limit=4, samples=2, keep_by="none", out=folder / "chains"
        ... )
        >>> run.stats.questions
        4
        >>> sorted(run.configs)
        ['answers', 'rationales', 'rejected']
        >>> run.dataset("rationales").column_names[:3]
        ['id', 'method', 'parents']
    """

    path: Path
    """The run folder."""
    summary: str = field(repr=False)
    """The closing lines that the command prints."""

    def __str__(self) -> str:
        return self.summary

    @property
    def config(self) -> RunConfig:
        """What was asked: method, teacher, source, settings, prompts."""
        return read_run(self.path)[0]

    @property
    def stats(self) -> RunStats:
        """What came of it: counts, tokens, cost, and what the method measured."""
        return read_run(self.path)[1]

    @property
    def configs(self) -> list[str]:
        """The configs of rows that the run holds; `rejected` is the last."""
        accepted = [name for name, count in self.stats.accepted.items() if count]
        return [*accepted, "rejected"]

    def rows(self, config: str | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a config, one at a time.

        Args:
            config: such as "rationales", "answers" or "rejected". Default: the first.

        Raises:
            UserError: the run has no such config.
        """
        return rows(self._file(config))

    def dataset(self, config: str | None = None) -> Dataset:
        """The rows of a config as a `datasets.Dataset`, memory-mapped.

        Args:
            config: such as "rationales", "answers" or "rejected". Default: the first.

        Raises:
            UserError: the run has no such config.
        """
        from datasets import Dataset

        return Dataset.from_parquet(str(self._file(config)))

    def to_pandas(self, config: str | None = None) -> pandas.DataFrame:
        """The rows of a config as a pandas DataFrame, all in memory.

        Args:
            config: such as "rationales", "answers" or "rejected". Default: the first.

        Raises:
            UserError: the run has no such config.
        """
        import pyarrow.parquet as pq

        return pq.read_table(self._file(config)).to_pandas()

    def publish(self, name: str, **flags: Any) -> Version:
        """Make an immutable, numbered version of this run.

        Args:
            name: of the dataset, such as "gsm8k-rationales" or "ORG/NAME".
            **flags: the flags of `datagen publish`: `license`, `language`, `store`, `version`,
                `hub=True` to publish on the Hub, `private=True`, `shard_mb`.

        Returns:
            The version. The same content again gives the version that holds it already.

        Raises:
            UserError: the name, the number or a flag cannot be used.
        """
        from datagen.publish.command import publish_run
        from datagen.publish.settings import PublishSettings

        settings = settings_from(PublishSettings, {"run": self.path, "name": name, **flags})
        return Version.of(publish_run(settings).version)

    def inspect(self, **flags: Any) -> Path:
        """Write one HTML page about this run: counts, lengths, samples, search.

        Args:
            **flags: the flags of `datagen inspect`, such as `out` and `rows`.

        Returns:
            The page.
        """
        from datagen.inspect.command import inspect_run
        from datagen.inspect.settings import InspectSettings

        return inspect_run(settings_from(InspectSettings, {"run": self.path, **flags}))

    def _file(self, config: str | None) -> Path:
        name = config or self.configs[0]
        if name not in self.configs:
            raise UserError(f"{self.path} has no rows of {name!r}: there are {self.configs}")
        return self.path / f"{name}.parquet"

    @classmethod
    def of(cls, result: RunResult) -> Run:
        """The object of a run that a method has finished."""
        return cls(result.path, result.summary)


def open_run(path: str | Path) -> Run:
    """Open the folder of a finished run.

    Args:
        path: the run folder.

    Returns:
        The run.

    Raises:
        UserError: there is no finished run.

    Example:
        >>> import datagen
        >>> run = datagen.open_run(folder / "chains")
        >>> run.stats.accepted["rationales"] > 0
        True
    """
    folder = Path(path)
    _, stats = read_run(folder)
    return Run(folder, summary(to_json(stats), folder))
