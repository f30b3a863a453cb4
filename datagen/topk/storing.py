"""Store a teacher's most probable tokens: Parquet files in, the same files with more columns out.

Rows are taken a piece at a time. A piece is on disk before the next one is asked for, so a kill
loses at most one. The rows of a piece are batched among themselves. So the pieces and the
file are the same however often the run was stopped.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.progress import meter
from datagen.run.folder import commit, write_json
from datagen.run.open_run import run_together
from datagen.schema import PROMPT_TOPK, TOPK
from datagen.topk.columns import CUT, Storing, with_columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Storing", "extend", "store_topk_columns"]

PIECE = 256
"""Rows of a piece, and of a row group of the file. With K = 64 and 300 tokens a row, a piece takes
about 30 MB of memory."""
PIECES = "topk"
"""The folder of the pieces, until all are there."""


async def extend(run: Path, teacher: Any, k: int, stats: Mapping[str, Any]) -> dict[str, Any]:
    """Add the column `teacher_topk` to a run that is finished otherwise. Return its statistics."""
    configs = [config for config, rows in stats["accepted"].items() if rows]
    files = {config: [run / f"{config}.parquet"] for config in configs}
    return await store_topk_columns(files, run, Storing(teacher, k), stats)


async def store_topk_columns(
    files: Mapping[str, Sequence[Path]], out: Path, storing: Storing, stats: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the rows with the new columns, then the statistics.

    Args:
        files: the Parquet files of each config.
        out: the run folder.
        storing: what is stored.
        stats: the statistics of the rows.

    Returns:
        The statistics with what was stored. They are written last: they say that the columns are
        whole.

    Raises:
        TeacherError: a request failed. The pieces that are there stay.
    """
    began = time.monotonic()
    try:
        found = await add_topk(files, out, storing)
    finally:
        await storing.teacher.close()
    # the time of a resumed run is that of its last part
    seconds = round(time.monotonic() - began, 1)
    done = {**stats, "teacher_topk": {**found, "seconds": seconds}, "code_commit": commit()}
    write_json(out / "stats.json", done)
    return done


async def add_topk(
    files: Mapping[str, Sequence[Path]], out: Path, storing: Storing
) -> dict[str, Any]:
    """Write `out/CONFIG.parquet` for each config that is not there yet. Return the statistics."""
    await storing.teacher.open()
    for config, sources in files.items():
        if not has_topk(out / f"{config}.parquet"):
            pieces = [piece async for piece in write_pieces(config, sources, out / PIECES, storing)]
            join(pieces, out / f"{config}.parquet")
    # the files of all configs are whole by then
    shutil.rmtree(out / PIECES, ignore_errors=True)
    return statistics([out / f"{config}.parquet" for config in files], storing)


async def write_pieces(
    config: str, sources: Sequence[Path], folder: Path, storing: Storing
) -> AsyncIterator[Path]:
    """Write the pieces of a config, and yield their files in order."""
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    rows = sum(pq.read_metadata(source).num_rows for source in sources)
    with meter(f"{config} top-{storing.k}", rows) as progress:
        numbered = enumerate(tables(sources))
        while some := list(islice(numbered, storing.pieces_at_once)):
            files = [folder / f"{config}-{number:06}.parquet" for number, _ in some]
            pieces = zip(files, [table for _, table in some], strict=True)
            if len(some) == 1:  # needs no task of its own, so an interrupt ends it at once
                await write_piece(*next(pieces), storing)
            else:
                await run_together(write_piece(file, table, storing) for file, table in pieces)
            progress.advance(by=sum(len(table) for _, table in some))
            for file in files:
                yield file


async def write_piece(file: Path, table: pa.Table, storing: Storing) -> None:
    """Write the rows with the teacher's probabilities, if the file is not there yet."""
    if not file.exists():
        write(await with_columns(table, storing), file)


def tables(sources: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the rows of the files, PIECE rows at a time, without columns of an earlier teacher."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    files = ds.dataset([str(source) for source in sources], format="parquet")
    columns = [name for name in files.schema.names if name not in (TOPK, PROMPT_TOPK)]
    waiting: list[pa.RecordBatch] = []
    # no threads: the order of rows must not depend on their speed
    for batch in files.to_batches(columns=columns, batch_size=PIECE, use_threads=False):
        waiting.append(batch)
        table = pa.Table.from_batches(waiting)
        while len(table) >= PIECE:
            yield table.slice(0, PIECE)
            table = table.slice(PIECE)
        waiting = table.to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


def join(pieces: Sequence[Path], target: Path) -> None:
    """Write one file of all the pieces. It is put in place whole."""
    import pyarrow.parquet as pq

    cut = sum(int(pq.read_schema(piece).metadata[CUT]) for piece in pieces)
    # a count of the whole file takes the place of the counts of its pieces
    schema = pq.read_schema(pieces[0]).with_metadata({CUT: str(cut).encode()})
    partial = target.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for piece in pieces:
            writer.write_table(pq.read_table(piece).replace_schema_metadata(schema.metadata))
    os.replace(partial, target)


def write(table: pa.Table, file: Path) -> None:
    """Write a piece. It is put in place whole, so that a kill leaves no half of it."""
    import pyarrow.parquet as pq

    partial = file.with_suffix(".partial")
    pq.write_table(table, partial, compression="zstd")
    os.replace(partial, file)


def has_topk(file: Path) -> bool:
    """Return whether a file is there and has the column."""
    import pyarrow.parquet as pq

    return file.is_file() and TOPK in pq.read_schema(file).names


def statistics(files: Sequence[Path], storing: Storing) -> dict[str, Any]:
    """Return counts of rows and tokens, and the bytes a token takes in memory and on disk."""
    import pyarrow.parquet as pq

    names = [TOPK, PROMPT_TOPK] if storing.prompts else [TOPK]
    tokens = dict.fromkeys(names, 0)
    rows = 0
    cut = 0
    disk = 0
    for file in files:
        with pq.ParquetFile(file) as parquet:
            rows += parquet.metadata.num_rows
            cut += int(parquet.schema_arrow.metadata[CUT])
            disk += bytes_on_disk(parquet.metadata, names)
            for name in names:
                tokens[name] += count_tokens(parquet, name)

    found = {"k": storing.k, "rows": rows, "cut": cut, "tokens": tokens[TOPK]}
    if storing.prompts:
        found["prompt_tokens"] = tokens[PROMPT_TOPK]
    return found | {
        # a token id (4 bytes) and a log-probability (2) for each of k; token and tail for each
        # position
        "bytes_per_token": 6 * storing.k + 8,
        "bytes_per_token_on_disk": round(disk / max(sum(tokens.values()), 1), 1),
    }


def bytes_on_disk(metadata: Any, names: Sequence[str]) -> int:
    """Return the compressed bytes of the named columns of a Parquet file."""
    total = 0
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.path_in_schema.split(".")[0] in names:
                total += column.total_compressed_size
    return total


def count_tokens(parquet: Any, name: str) -> int:
    """Return the number of tokens for which a column holds probabilities."""
    import pyarrow.compute as pc

    total = 0
    for batch in parquet.iter_batches(columns=[f"{name}.tokens"]):
        lengths = pc.list_value_length(batch[0].field("tokens"))
        total += pc.sum(lengths).as_py() or 0  # the sum of nulls is null
    return total
