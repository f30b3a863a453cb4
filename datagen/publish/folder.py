"""Writing the files of a version: Parquet files, the card, its figures and the lineage.

A folder in the store and a commit on the Hub hold the same files.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.publish.lineage import with_runs
from datagen.records.lineage import configs_of
from datagen.versions.lineage import VERSION_HASH, version_sha256
from datagen.versions.number import Number, show
from datagen.versions.parquet import batches_of, file_sha256
from datagen.versions.version import Version, names_of

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_MB = 500
"""Megabytes (10^6 bytes) above which a Parquet file is split. `datasets` itself writes shards of at
most 500 MB by default."""
GROUP_BYTES = 1 << 24
"""Bytes, in memory, of a row group in a split file. Readers hold a row group at a time, so 16 MiB
keep them small; much smaller groups would compress badly."""


def add_other_families(lineage: dict[str, Any], newest: Version | None) -> dict[str, Any]:
    """Return the lineage with the runs that the newest version holds of other families.

    A run of the same family is replaced. `files` of the result names the Parquet files that stay.

    Args:
        lineage: the lineage of one run.
        newest: the newest version of the name, if there is one.

    Raises:
        UserError: the newest version is of an earlier release, or the columns do not fit together.
    """
    before = newest.lineage if newest else {"runs": {}}
    others = {
        family: run for family, run in before["runs"].items() if family not in lineage["runs"]
    }
    # earlier releases recorded no samples, and the card of the new version needs them
    if newest and any("samples" not in run for run in others.values()):
        raise UserError(
            f"{newest.name} {newest.version} is of an earlier release: publish its run "
            f"({', '.join(others)}) anew "
            "before one of another family"
        )

    files: dict[str, Any] = {}
    for family, run in others.items():
        for config in run["configs"]:
            files |= {name: before["files"][name] for name in names_of(before, config, family)}

    # the families keep their order, so that the card's order does not depend on the last run
    merged = with_runs(lineage, before["runs"] | lineage["runs"])
    check_columns(merged)
    return merged | {"files": files}


def check_columns(lineage: dict[str, Any]) -> None:
    """Check that a column has one type in all families that share its config.

    Raises:
        UserError: a column has two types. `datasets` could not load such a config.
    """
    for config, described in configs_of(lineage).items():
        first: dict[str, tuple[str, str]] = {}
        for family, its in described["runs"].items():
            for column, kind in its["columns"].items():
                other, where = first.setdefault(column, (kind, family))
                if kind != other:
                    raise UserError(
                        f"{config}: column {column} is {other} in {where} and {kind} in {family}: "
                        "publish one of them under another name"
                    )


def with_number(
    lineage: dict[str, Any], number: Number, previous: Version | None
) -> dict[str, Any]:
    """Return the lineage with the version's number, date and predecessor."""
    return lineage | {
        "version": show(number),
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "previous": previous
        and {"version": previous.version, "content_sha256": previous.content_sha256},
    }


def write_folder(
    folder: Path, run: Path, lineage: dict[str, Any], *, shard_mb: int = SHARD_MB
) -> None:
    """Write the folder of a version: Parquet files, card, figures, and the lineage last.

    The files that `lineage` names already belong to the version before. They are not written here.
    The new files are added to `lineage`.

    Args:
        folder: the folder to make.
        run: the run folder whose rows are published.
        lineage: the lineage of the version, with its number.
        shard_mb: megabytes (10^6 bytes) above which a Parquet file is split.
    """
    from cards.figures import figures

    folder.mkdir(exist_ok=True)
    write_rows(folder, run, lineage, shard_mb)

    (folder / "README.md").write_text(card(lineage), encoding="utf-8")
    for place, image in figures(lineage).items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(image)

    # the lineage holds the hashes of all other files, so it is written last
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = file.relative_to(folder).as_posix()
        lineage["files"][name] = {"sha256": file_sha256(file), "bytes": file.stat().st_size}
    lineage[VERSION_HASH] = version_sha256(lineage)
    (folder / "lineage.json").write_text(
        json.dumps(lineage, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def write_rows(folder: Path, run: Path, lineage: dict[str, Any], shard_mb: int) -> None:
    """Write the Parquet files of all configs that have rows and no file yet."""
    for family, its in lineage["runs"].items():
        for config, described in its["configs"].items():
            if described["rows"] and not names_of(lineage, config, family):
                write_config(run / f"{config}.parquet", folder, config, described, shard_mb)


def link_files(names: Iterable[str], source: Path, folder: Path) -> None:
    """Put files of another version into a folder, without a second copy where possible."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # not every file system has hard links
        try:
            os.link(source / name, folder / name)
        except OSError:
            shutil.copyfile(source / name, folder / name)


def write_config(
    source: Path, folder: Path, config: str, described: dict[str, Any], shard_mb: int
) -> None:
    """Write the rows of a config into one Parquet file, or into several if it is large.

    Args:
        source: the Parquet file of the run.
        folder: the folder of the version.
        config: the name of the config.
        described: the number and the hash of its rows.
        shard_mb: megabytes (10^6 bytes) above which the file is split.
    """
    count = min(described["rows"], math.ceil(source.stat().st_size / (shard_mb * 1_000_000)))

    # The names contain the hash of the rows, and the card's header contains the names. `datasets`
    # keys its cache of a local folder by the folder's own name ("1.0.0") and that header alone.
    # Without the hash it would return the rows of another dataset's 1.0.0.
    names = [
        f"train-{i:05}-of-{count:05}-{described['rows_sha256'][:16]}.parquet" for i in range(count)
    ]
    (folder / config).mkdir(exist_ok=True)
    if count == 1:
        shutil.copyfile(source, folder / config / names[0])
    else:
        split(source, [folder / config / name for name in names])


def split(source: Path, shards: list[Path]) -> None:
    """Spread the rows of a Parquet file evenly over files, in order."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(source)
    rows = pq.read_metadata(source).num_rows
    batches = batches_of(source)
    rest: list[pa.RecordBatch] = []

    for number, shard in enumerate(shards):
        # differences of rounded ends: the counts differ by at most one and add up to all rows
        count = rows * (number + 1) // len(shards) - rows * number // len(shards)
        with pq.ParquetWriter(shard, schema, compression="zstd") as writer:
            for group in row_groups(next_rows(count, batches, rest)):
                writer.write_table(group)


def next_rows(
    count: int, batches: Iterator[pa.RecordBatch], rest: list[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Yield the next `count` rows.

    Args:
        count: how many rows.
        batches: the rows, in order.
        rest: what remains of a batch. It is kept here from one call to the next.
    """
    while count:
        batch = rest.pop() if rest else next(batches)
        piece = batch.slice(0, count)
        yield piece
        count -= piece.num_rows
        if piece.num_rows < batch.num_rows:
            rest.append(batch.slice(piece.num_rows))


def row_groups(pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of about `GROUP_BYTES` bytes in memory."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(batch.nbytes for batch in waiting) >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def card(lineage: dict[str, Any]) -> str:
    """Return the card of a version as Markdown."""
    from cards.dataset import dataset_card

    return dataset_card(lineage)
