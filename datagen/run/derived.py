"""A run of the rows that another run or a version holds, with more in them: `datagen topk` and
`train probe`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.run.folder import keep_config, lock, make_folder, read_run
from datagen.schema import arrow_schema
from datagen.versions import resolve
from datagen.versions.lineage import CONFIG_KEYS, family_of


@dataclass(frozen=True)
class Source:
    """What there is before."""

    name: str
    config: dict[str, Any]
    stats: dict[str, Any]
    files: dict[str, list[Path]]
    """The Parquet files of each config of accepted rows."""
    rejected: list[Path]


def read_source(source: str, *, store: Path | None, family: str | None = None) -> Source:
    """A run's folder or a version; of one that holds several runs, that of a family. Raises
    UserError where there is neither a finished run nor a version, and where it has to be said
    which."""
    run = Path(source)
    if (run / "config.json").is_file():
        config, stats = read_run(run)
        files = {c: [run / f"{c}.parquet"] for c, rows in stats["accepted"].items() if rows}
        return Source(run.resolve().name, config, stats, files, [run / "rejected.parquet"])
    version = resolve(source, store=store)
    family, its = version.run(family)
    config = {
        "format": 1,
        **{key: its.get(key) for key in CONFIG_KEYS},
        "code_version": its["code"]["version"],
    }
    stats = {"finished": True, **its["counts"], **its["quality"], **its["usage"]}
    files = {c: version.files_of(c, family) for c in stats["accepted"]}
    return Source(
        version.name.replace("/", "-"), config, stats, files, version.files_of("rejected", family)
    )


@contextlib.contextmanager
def derived(source: Source, out: Path, told: Mapping[str, Any]) -> Iterator[bool]:
    """The run folder `out`, alone in it, its settings those of the source and `told`. Gives whether
    its rows are still to be written; those that were rejected are there. Raises UserError where it
    holds another run."""
    make_folder(out)
    with lock(out):
        keep_config(out, source.config | {"settings": source.config["settings"] | told})
        unfinished = not (out / "stats.json").exists()
        if unfinished:
            copy_rejected(source.rejected, out, family=family_of(source.files))
        yield unfinished


def copy_rejected(files: Sequence[Path], out: Path, *, family: str) -> None:
    """The rejected rows as they were. A version without any has no file for them, a run has an
    empty one."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(files[0]) if files else arrow_schema("rejected", family=family)
    with pq.ParquetWriter(out / "rejected.parquet", schema, compression="zstd") as writer:
        for file in files:
            writer.write_table(pq.read_table(file))
