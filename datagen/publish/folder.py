"""What lies in a version: Parquet files, the card, and the lineage with the hashes of the others. A folder in the store
and a commit on the Hub hold the same."""

from __future__ import annotations

import datetime
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.publish.lineage import batches_of, file_sha256
from datagen.publish.samples import samples
from datagen.publish.versions import Number, show

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_MB = 500
"""Megabytes (10^6 bytes) of a Parquet file above which it is cut."""
GROUP = 1 << 24
"""Bytes, in memory, of a row group of what was cut."""


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

    def files_of(self, config: str) -> list[Path]:
        """The Parquet files of a config, in order."""
        return [self.path / name for name in sorted(self.lineage["files"]) if name.startswith(f"{config}/")]


def stamped(lineage: dict[str, Any], number: Number, previous: Version | None) -> dict[str, Any]:
    """The lineage as that of a version: its number, date and predecessor."""
    return lineage | {
        "version": show(number),
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "previous": previous and {"version": previous.version, "content_sha256": previous.content_sha256},
        "files": {},
    }


def fill(folder: Path, run: Path, lineage: dict[str, Any], *, shard_mb: int = SHARD_MB) -> None:
    """Make the folder of a version: the Parquet files, the card with its figures, and last the lineage."""
    from cards.figures import figures

    folder.mkdir()
    for config, described in lineage["configs"].items():
        if described["rows"]:
            write_config(run / f"{config}.parquet", folder, config, described, shard_mb)
    (folder / "README.md").write_text(card(lineage, run), encoding="utf-8")
    for place, image in figures(lineage).items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(image)
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = file.relative_to(folder).as_posix()
        lineage["files"][name] = {"sha256": file_sha256(file), "bytes": file.stat().st_size}
    (folder / "lineage.json").write_text(json.dumps(lineage, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_config(source: Path, folder: Path, config: str, described: dict[str, Any], shard_mb: int) -> None:
    """The rows of a config, in as many files as its size asks for.

    The hash of the rows stands in the names, and so in the card's header: `datasets` caches a local folder by its last
    name ("1.0.0") and that header alone, and would give the rows of another dataset's 1.0.0.
    """
    count = min(described["rows"], math.ceil(source.stat().st_size / (shard_mb * 1_000_000)))
    names = [f"train-{i:05}-of-{count:05}-{described['rows_sha256'][:16]}.parquet" for i in range(count)]
    (folder / config).mkdir()
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


def take(count: int, batches: Iterator[pa.RecordBatch], left: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
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


def card(lineage: dict[str, Any], run: Path) -> str:
    """The card of a run's lineage, with a few of its rows."""
    from cards.dataset import dataset_card

    seed = lineage["settings"].get("seed", 0)
    return dataset_card(lineage, samples(run, lineage["configs"], seed=seed))
