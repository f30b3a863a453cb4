"""What lies in a version: Parquet files, the card, and the lineage with the hashes of the others. A folder in the store
and a commit on the Hub hold the same."""

from __future__ import annotations

import datetime
import itertools
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.publish.lineage import file_sha256, rows
from datagen.publish.versions import Number, show

SAMPLES = 2
"""Rows of a config that its card shows."""
SHARD_MB = 500
"""Megabytes (10^6 bytes) of a Parquet file above which it is cut."""
BATCH = 500
"""Rows in memory while a file is cut."""


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
    """Make the folder of a version: the Parquet files, the card, and last the lineage."""
    folder.mkdir()
    for config, described in lineage["configs"].items():
        if described["rows"]:
            write_config(run / f"{config}.parquet", folder, config, described, shard_mb)
    (folder / "README.md").write_text(card(lineage, run), encoding="utf-8")
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

    with pq.ParquetFile(source) as parquet:
        rows, place = parquet.metadata.num_rows, 0
        batches = parquet.iter_batches(batch_size=BATCH)
        batch = next(batches)
        for number, shard in enumerate(shards, 1):
            with pq.ParquetWriter(shard, parquet.schema_arrow, compression="zstd") as writer:
                while place < (end := rows * number // len(shards)):
                    piece = batch.slice(0, end - place)
                    writer.write_batch(piece)
                    place += piece.num_rows
                    batch = batch.slice(piece.num_rows) if piece.num_rows < batch.num_rows else next(batches, None)


def card(lineage: dict[str, Any], run: Path) -> str:
    """The card of a run's lineage, with the first rows of every config."""
    from cards.dataset import dataset_card

    samples = {c: list(itertools.islice(rows(run / f"{c}.parquet"), SAMPLES)) for c in lineage["configs"]}
    return dataset_card(lineage, samples)
