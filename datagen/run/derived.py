"""Runs that copy the rows of another run or version and add columns to them.

`datagen topk` and `train probe` make such runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datagen.records.config import RunConfig
from datagen.records.lineage import RunLineage
from datagen.records.names import public_identity
from datagen.records.serialise import from_json
from datagen.records.stats import RunStats
from datagen.run.folder import keep_config, lock, make_folder, read_run
from datagen.schema import arrow_schema
from datagen.versions import resolve
from datagen.versions.lineage import family_of


@dataclass(frozen=True)
class Source:
    """The run that another one is derived from."""

    name: str
    """Name of the run folder, or of the dataset with "-" in place of "/"."""
    config: RunConfig
    stats: RunStats
    files: dict[str, list[Path]]
    """The Parquet files of each config of accepted rows."""
    rejected: list[Path]
    """The Parquet files of the rejected rows."""


def read_source(source: str, *, store: Path | None, family: str | None = None) -> Source:
    """Return the run in a folder, or the run that a version holds.

    Args:
        source: a run folder, NAME@VERSION, NAME for its newest version, or a version's folder.
        store: the folder that holds the versions.
        family: which run, if a version holds several.

    Raises:
        UserError: there is neither a finished run nor a version, or the family must be named.
    """
    run = Path(source)
    if (run / "config.json").is_file():
        config, stats = read_run(run)
        files = {c: [run / f"{c}.parquet"] for c, rows in stats.accepted.items() if rows}
        return Source(run.resolve().name, config, stats, files, [run / "rejected.parquet"])

    version = resolve(source, store=store)
    family, lineage = version.run(family)
    config, stats = of_version(from_json(RunLineage, lineage, f"{source}: lineage.json"))
    files = {c: version.files_of(c, family) for c in stats.accepted}
    name = version.name.replace("/", "-")
    return Source(name, config, stats, files, version.files_of("rejected", family))


def of_version(run: RunLineage) -> tuple[RunConfig, RunStats]:
    """Return the configuration and the statistics of a published run."""
    config = RunConfig(
        method=run.method,
        code_version=run.code.version,
        teacher=run.teacher,
        source=run.source,
        settings=run.settings,
        prompts=run.prompts,
    )
    # a lineage leaves out what is unknown
    usage = run.usage
    stats = RunStats(
        finished=True,
        questions=run.counts.questions,
        accepted=run.counts.accepted,
        rejected=run.counts.rejected,
        answers=usage.answers or 0,
        completion_tokens=usage.completion_tokens or 0,
        prompt_tokens=usage.prompt_tokens or 0,
        cached_tokens=usage.cached_tokens or 0,
        cost=usage.cost,
        currency=usage.currency,
        measured=run.quality,
        code_commit=run.code.commit,
    )
    return config, stats


@contextlib.contextmanager
def derived(source: Source, out: Path, added: Mapping[str, Any]) -> Iterator[bool]:
    """Open a run folder whose settings are those of the source and some more.

    Args:
        source: the run whose rows it holds.
        out: the new run folder. No other process may work in it.
        added: the settings that are new.

    Yields:
        True if the caller must write the rows. The rejected rows are there already.

    Raises:
        UserError: the folder holds another run.
    """
    make_folder(out)
    with lock(out):
        teacher = source.config.teacher
        # an older release recorded the whole address of an endpoint
        teacher = replace(teacher, identity=public_identity(teacher.identity))
        settings = {**source.config.settings, **added}
        keep_config(out, replace(source.config, teacher=teacher, settings=settings))
        unfinished = not (out / "stats.json").exists()
        if unfinished:
            copy_rejected(source.rejected, out, family=family_of(source.files))
        yield unfinished


def copy_rejected(files: Sequence[Path], out: Path, *, family: str) -> None:
    """Write the rejected rows of the source into the new run, unchanged.

    Args:
        files: the files of rejected rows. A version without rejected rows has no such file.
        out: the new run folder. It always gets a file, if only an empty one.
        family: the family of the rows.
    """
    import pyarrow.parquet as pq

    schema = pq.read_schema(files[0]) if files else arrow_schema("rejected", family=family)
    with pq.ParquetWriter(out / "rejected.parquet", schema, compression="zstd") as writer:
        for file in files:
            writer.write_table(pq.read_table(file))
