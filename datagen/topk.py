"""The teacher's probabilities of rows that are there: Parquet files in, the same with the column `teacher_topk` out.

Rows are taken a piece at a time. A piece is on disk before the next is asked for, so a kill loses at most one; its rows
are batched among themselves, so the pieces, and the file that is made of them, are the same however often it was
stopped.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.progress import meter
from datagen.run_folder import commit, write_json
from datagen.schema import TOPK, with_topk
from datagen.teacher.tokens import row_tokens, tokenizer_fingerprint
from datagen.teacher.topk import Topk, TopkTeacher

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 256
"""Rows of a piece, and of a row group of the file."""
PIECES = "topk"
"""The folder of the pieces, until all are there."""
SEEN = "teacher_prompt"
"""The prompt that the teacher saw, where it is not the student's: the demonstrations of context distillation."""
CUT = b"cut"
"""In the metadata of a piece: how many of its rows are longer than the teacher's context."""


async def extend(run: Path, teacher: Any, k: int, stats: Mapping[str, Any]) -> dict[str, Any]:
    """Add the column to a run that is finished otherwise."""
    files = {config: [run / f"{config}.parquet"] for config, rows in stats["accepted"].items() if rows}
    return await finish(files, run, teacher, k, stats)


async def finish(
    files: Mapping[str, Sequence[Path]], out: Path, teacher: TopkTeacher, k: int, stats: Mapping[str, Any]
) -> dict[str, Any]:
    """Add the column, then write the statistics with what it took: they say that it is there."""
    began = time.monotonic()
    try:
        found = await add_topk(files, out, teacher, k)
    finally:
        await teacher.close()
    seconds = round(time.monotonic() - began, 1)
    done = {**stats, "teacher_topk": {**found, "seconds": seconds}, "code_commit": commit()}
    write_json(out / "stats.json", done)
    return done


async def add_topk(files: Mapping[str, Sequence[Path]], out: Path, teacher: TopkTeacher, k: int) -> dict[str, Any]:
    """Write `out/CONFIG.parquet` for the rows in the files of each config; return what statistics say of it.

    Files that are there already are kept. The teacher must have passed `check_topk`.
    """
    await teacher.check()
    for config, sources in files.items():
        if not has_topk(out / f"{config}.parquet"):
            pieces = [piece async for piece in write_pieces(config, sources, out / PIECES, teacher, k)]
            join(pieces, out / f"{config}.parquet")
    shutil.rmtree(out / PIECES, ignore_errors=True)
    return statistics([out / f"{config}.parquet" for config in files], k)


async def write_pieces(
    config: str, sources: Sequence[Path], folder: Path, teacher: TopkTeacher, k: int
) -> AsyncIterator[Path]:
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    rows = sum(pq.read_metadata(source).num_rows for source in sources)
    with meter(f"{config} top-{k}", rows) as progress:
        for number, table in enumerate(tables(sources)):
            file = folder / f"{config}-{number:06}.parquet"
            if not file.exists():
                write(await with_column(table, teacher, k), file)
            progress.advance(by=len(table))
            yield file


def tables(sources: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows of the files, a piece at a time, without what an earlier teacher thought of them."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    files = ds.dataset([str(source) for source in sources], format="parquet")
    columns = [name for name in files.schema.names if name != TOPK]
    waiting: list[pa.RecordBatch] = []
    for batch in files.to_batches(columns=columns, batch_size=PIECE, use_threads=False):
        waiting.append(batch)
        table = pa.Table.from_batches(waiting)
        while len(table) >= PIECE:
            yield table.slice(0, PIECE)
            table = table.slice(PIECE)
        waiting = table.to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


async def with_column(table: pa.Table, teacher: TopkTeacher, k: int) -> pa.Table:
    """The rows with what the teacher thinks of them; of a row that exceeds its context, of the tokens that fit."""
    asked = SEEN if SEEN in table.column_names else "prompt"
    rows = table.select(["id", asked, "completion"]).rename_columns(["id", "prompt", "completion"]).to_pylist()
    encoded = [row_tokens(row, teacher.tokenizer) for row in rows]
    pairs = [(prompt, answer[: max(teacher.context - len(prompt), 0)]) for prompt, answer in encoded]
    found = await teacher.topk([pair for pair in pairs if pair[1]], k)
    cut = sum(len(pair[1]) < len(answer) for pair, (_, answer) in zip(pairs, encoded, strict=True))
    schema = with_topk(table.schema).with_metadata({CUT: str(cut).encode()})
    column = arrow([answer for _, answer in pairs], found, k, tokenizer_fingerprint(teacher.tokenizer), schema)
    return table.append_column(schema.field(TOPK), column).replace_schema_metadata(schema.metadata)


def arrow(answers: Sequence[list[int]], found: Sequence[Topk], k: int, tokenizer: str, schema: pa.Schema) -> pa.Array:
    """The column, made of whole arrays: a Python object per number would take longer than the teacher."""
    import numpy as np
    import pyarrow as pa

    lengths = [len(answer) for answer in answers]
    rows = pa.array(np.cumsum([0, *lengths]), pa.int32())
    places = pa.array(np.arange(sum(lengths) + 1) * k, pa.int32())
    kinds: dict[str, Any] = {"ids": np.int32, "logprobs": np.float16, "tail": np.float32}
    flat = {
        name: np.concatenate([np.empty(0, kind), *(getattr(one, name).ravel() for one in found)]).astype(kind)
        for name, kind in kinds.items()
    }
    nested = [pa.ListArray.from_arrays(places, pa.array(flat[name])) for name in ("ids", "logprobs")]
    tokens = pa.array(np.concatenate([np.empty(0, np.int32), *answers]).astype(np.int32))
    lists = [pa.ListArray.from_arrays(rows, values) for values in (tokens, *nested, pa.array(flat["tail"]))]
    return pa.StructArray.from_arrays([*lists, pa.array([tokenizer] * len(answers))], fields=schema.field(TOPK).type)


def join(pieces: Sequence[Path], target: Path) -> None:
    """One file of all the pieces, in place whole."""
    import pyarrow.parquet as pq

    cut = sum(int(pq.read_schema(piece).metadata[CUT]) for piece in pieces)
    schema = pq.read_schema(pieces[0]).with_metadata({CUT: str(cut).encode()})
    partial = target.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for piece in pieces:
            writer.write_table(pq.read_table(piece).replace_schema_metadata(schema.metadata))
    os.replace(partial, target)


def write(table: pa.Table, file: Path) -> None:
    import pyarrow.parquet as pq

    partial = file.with_suffix(".partial")
    pq.write_table(table, partial, compression="zstd")
    os.replace(partial, file)


def has_topk(file: Path) -> bool:
    import pyarrow.parquet as pq

    return file.is_file() and TOPK in pq.read_schema(file).names


def statistics(files: Sequence[Path], k: int) -> dict[str, Any]:
    """Tokens, and what the column takes for each: in memory, and compressed on disk."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows, tokens, disk, cut = 0, 0, 0, 0
    for file in files:
        with pq.ParquetFile(file) as parquet:
            meta = parquet.metadata
            rows, cut = rows + meta.num_rows, cut + int(parquet.schema_arrow.metadata[CUT])
            columns = [meta.row_group(g).column(c) for g in range(meta.num_row_groups) for c in range(meta.num_columns)]
            disk += sum(c.total_compressed_size for c in columns if c.path_in_schema.startswith(f"{TOPK}."))
            for batch in parquet.iter_batches(columns=[f"{TOPK}.tokens"]):
                tokens += pc.sum(pc.list_value_length(batch[0].field("tokens"))).as_py() or 0
    return {
        "k": k,
        "rows": rows,
        "cut": cut,
        "tokens": tokens,
        "bytes_per_token": 6 * k + 8,
        "bytes_per_token_on_disk": round(disk / max(tokens, 1), 1),
    }
