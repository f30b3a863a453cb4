"""What lies in a version: Parquet files, the card, and the lineage with the hashes of the others.

A folder in the store and a commit on the Hub hold the same.
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

from cards.runs import configs_of
from datagen.errors import UserError
from datagen.publish.lineage import holding
from datagen.versions.number import Number, show
from datagen.versions.parquet import batches_of, file_sha256
from datagen.versions.version import Version, names_of

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_MB = 500
"""Megabytes (10^6 bytes) of a Parquet file above which it is cut."""
GROUP = 1 << 24
"""Bytes, in memory, of a row group of what was cut."""


def beside(lineage: dict[str, Any], newest: Version | None) -> dict[str, Any]:
    """The lineage of a run with what the newest version holds of other families: their runs, and
    under `files` their Parquet files. A run of the same family gives way. Raises UserError where
    they do not go together.
    """
    before = newest.lineage if newest else {"runs": {}}
    others = {
        family: run for family, run in before["runs"].items() if family not in lineage["runs"]
    }
    if newest and any("samples" not in run for run in others.values()):
        raise UserError(
            f"{newest.name} {newest.version} is of an earlier release: publish its run "
            f"({', '.join(others)}) anew "
            "before one of another family"
        )
    configs = [(config, family) for family, run in others.items() for config in run["configs"]]
    files = {
        name: before["files"][name] for config in configs for name in names_of(before, *config)
    }
    together = holding(lineage, before["runs"] | lineage["runs"])
    check_columns(together)
    return together | {"files": files}


def check_columns(lineage: dict[str, Any]) -> None:
    """Families that share a config have no column of two types. Raises UserError."""
    for config, described in configs_of(lineage).items():
        kinds: dict[str, tuple[str, str]] = {}
        for family, its in described["runs"].items():
            for column, kind in its["columns"].items():
                other, where = kinds.setdefault(column, (kind, family))
                if kind != other:
                    raise UserError(
                        f"{config}: column {column} is {other} in {where} and {kind} in {family}: "
                        "publish one of them under another name"
                    )


def stamped(lineage: dict[str, Any], number: Number, previous: Version | None) -> dict[str, Any]:
    """The lineage as that of a version: its number, date and predecessor."""
    return lineage | {
        "version": show(number),
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "previous": previous
        and {"version": previous.version, "content_sha256": previous.content_sha256},
    }


def fill(folder: Path, run: Path, lineage: dict[str, Any], *, shard_mb: int = SHARD_MB) -> None:
    """Make the folder of a version: the Parquet files, the card with its figures, and last the
    lineage. Files that the lineage names already are those of another version, and for the store to
    bring.
    """
    from cards.figures import figures

    folder.mkdir()
    for family, its in lineage["runs"].items():
        for config, described in its["configs"].items():
            if described["rows"] and not names_of(lineage, config, family):
                write_config(run / f"{config}.parquet", folder, config, described, shard_mb)
    (folder / "README.md").write_text(card(lineage), encoding="utf-8")
    for place, image in figures(lineage).items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(image)
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = file.relative_to(folder).as_posix()
        lineage["files"][name] = {"sha256": file_sha256(file), "bytes": file.stat().st_size}
    (folder / "lineage.json").write_text(
        json.dumps(lineage, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def bring(names: Iterable[str], source: Path, folder: Path) -> None:
    """Files of another version's folder, linked where the file system has links."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / name, folder / name)
        except OSError:
            shutil.copyfile(source / name, folder / name)


def write_config(
    source: Path, folder: Path, config: str, described: dict[str, Any], shard_mb: int
) -> None:
    """The rows of a config, in as many files as its size asks for.

    The hash of the rows stands in the names, and so in the card's header: `datasets` caches a local
    folder by its last name ("1.0.0") and that header alone, and would give the rows of another
    dataset's 1.0.0.
    """
    count = min(described["rows"], math.ceil(source.stat().st_size / (shard_mb * 1_000_000)))
    names = [
        f"train-{i:05}-of-{count:05}-{described['rows_sha256'][:16]}.parquet" for i in range(count)
    ]
    (folder / config).mkdir(exist_ok=True)
    if count == 1:
        shutil.copyfile(source, folder / config / names[0])
    else:
        cut(source, [folder / config / name for name in names])


def cut(source: Path, shards: list[Path]) -> None:
    """Spread the rows of a Parquet file evenly over files, in order."""
    import pyarrow.parquet as pq

    schema, rows = pq.read_schema(source), pq.read_metadata(source).num_rows
    batches, left = batches_of(source), list[Any]()
    for number, shard in enumerate(shards):
        count = rows * (number + 1) // len(shards) - rows * number // len(shards)
        with pq.ParquetWriter(shard, schema, compression="zstd") as writer:
            for group in groups(take(count, batches, left)):
                writer.write_table(group)


def take(
    count: int, batches: Iterator[pa.RecordBatch], left: list[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The next `count` rows; `left` holds what remains of a batch, from one call to the next."""
    while count:
        batch = left.pop() if left else next(batches)
        yield (piece := batch.slice(0, count))
        count -= piece.num_rows
        if piece.num_rows < batch.num_rows:
            left.append(batch.slice(piece.num_rows))


def groups(pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Row groups of about `GROUP` bytes."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(batch.nbytes for batch in waiting) >= GROUP:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def card(lineage: dict[str, Any]) -> str:
    """The card of a version."""
    from cards.dataset import dataset_card

    return dataset_card(lineage)
