"""The teacher's probabilities of rows that are there: Parquet files in, the same with the column
`teacher_topk` out, and with `teacher_topk_prompt` where that is asked for.

Rows are taken a piece at a time. A piece is on disk before the next is asked for, so a kill loses
at most one; its rows are batched among themselves, so the pieces, and the file that is made of
them, are the same however often it was stopped.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.progress import meter
from datagen.run.folder import commit, write_json
from datagen.run.open_run import run_together
from datagen.schema import PROMPT_TOPK, TOPK, with_topk
from datagen.teacher.tokens import row_tokens, tokenizer_fingerprint
from datagen.teacher.topk import Tokens, Topk, TopkTeacher, nothing

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 256
"""Rows of a piece, and of a row group of the file."""
PIECES = "topk"
"""The folder of the pieces, until all are there."""
SEEN = "teacher_prompt"
"""The prompt that the teacher saw, where it is not the student's: the demonstrations of context
distillation."""
CUT = b"cut"
"""In the metadata of a piece: how many of its rows are longer than the teacher's context."""


@dataclass(frozen=True)
class Storing:
    """What is stored of a row."""

    teacher: TopkTeacher
    """It must have passed `check_topk`."""
    k: int
    prompts: bool = False
    """Of the prompts that the student is shown, too."""
    pieces_at_once: int = 1
    """How many pieces the teacher is asked for at the same time."""


async def extend(run: Path, teacher: Any, k: int, stats: Mapping[str, Any]) -> dict[str, Any]:
    """Add the column to a run that is finished otherwise."""
    files = {
        config: [run / f"{config}.parquet"] for config, rows in stats["accepted"].items() if rows
    }
    return await finish(files, run, Storing(teacher, k), stats)


async def finish(
    files: Mapping[str, Sequence[Path]], out: Path, storing: Storing, stats: Mapping[str, Any]
) -> dict[str, Any]:
    """Add the columns, then write the statistics with what it took: they say that they are
    there.
    """
    began = time.monotonic()
    try:
        found = await add_topk(files, out, storing)
    finally:
        await storing.teacher.close()
    seconds = round(time.monotonic() - began, 1)
    done = {**stats, "teacher_topk": {**found, "seconds": seconds}, "code_commit": commit()}
    write_json(out / "stats.json", done)
    return done


async def add_topk(
    files: Mapping[str, Sequence[Path]], out: Path, storing: Storing
) -> dict[str, Any]:
    """Write `out/CONFIG.parquet` for the rows in the files of each config; return what statistics
    say of it.

    Files that are there already are kept.
    """
    await storing.teacher.open()
    for config, sources in files.items():
        if not has_topk(out / f"{config}.parquet"):
            pieces = [piece async for piece in write_pieces(config, sources, out / PIECES, storing)]
            join(pieces, out / f"{config}.parquet")
    shutil.rmtree(out / PIECES, ignore_errors=True)
    return statistics([out / f"{config}.parquet" for config in files], storing)


async def write_pieces(
    config: str, sources: Sequence[Path], folder: Path, storing: Storing
) -> AsyncIterator[Path]:
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
    """The rows of the files, a piece at a time, without what an earlier teacher thought of them."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    files = ds.dataset([str(source) for source in sources], format="parquet")
    columns = [name for name in files.schema.names if name not in (TOPK, PROMPT_TOPK)]
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


@dataclass(frozen=True)
class Asked:
    """The tokens of a row that the teacher reads, as far as its context reaches."""

    given: list[int]
    """Of which nothing is stored: the prompt, or its first token alone."""
    prompt: list[int] | None
    """The prompt's others, where they are stored."""
    answer: list[int]
    cut: bool
    """The completion is longer."""

    @property
    def pair(self) -> Tokens:
        return self.given, (self.prompt or []) + self.answer


def asked(row: Mapping[str, Any], storing: Storing) -> Asked:
    seen, context = row.get(SEEN) or row["prompt"], storing.teacher.context
    prompt, completion = row_tokens({**row, "prompt": seen}, storing.teacher.load_tokenizer())
    answer = completion[: max(context - len(prompt), 0)]
    cut = len(answer) < len(completion)
    if storing.prompts and seen == row["prompt"]:
        return Asked(prompt[:1], prompt[1:context], answer, cut)
    return Asked(prompt, None, answer, cut)


async def with_columns(table: pa.Table, storing: Storing) -> pa.Table:
    """The rows with what the teacher thinks of them."""
    names = [name for name in ("id", "prompt", "completion", SEEN) if name in table.column_names]
    rows = [asked(row, storing) for row in table.select(names).to_pylist()]
    answers = iter(await storing.teacher.topk([row.pair for row in rows if row.pair[1]], storing.k))
    found = [next(answers) if row.pair[1] else nothing(storing.k) for row in rows]
    starts = [len(row.prompt or []) for row in rows]
    texts: dict[str, Sequence[list[int] | None]] = {TOPK: [row.answer for row in rows]}
    parts = {TOPK: [one[at:] for one, at in zip(found, starts, strict=True)]}
    if storing.prompts:
        texts[PROMPT_TOPK] = [row.prompt for row in rows]
        parts[PROMPT_TOPK] = [one[:at] for one, at in zip(found, starts, strict=True)]
    for name, text in texts.items():
        field = with_topk(table.schema, name).field(name)
        column = arrow(
            text,
            parts[name],
            storing.k,
            tokenizer_fingerprint(storing.teacher.load_tokenizer()),
            field.type,
        )
        table = table.append_column(field, column)
    return table.replace_schema_metadata({CUT: str(sum(row.cut for row in rows)).encode()})


def arrow(
    texts: Sequence[list[int] | None],
    found: Sequence[Topk],
    k: int,
    tokenizer: str,
    kind: pa.DataType,
) -> pa.Array:
    """A column, null where a text is, made of whole arrays: a Python object per number would take
    longer than the teacher.
    """
    import numpy as np
    import pyarrow as pa

    lengths = [len(text or []) for text in texts]
    rows = pa.array(np.cumsum([0, *lengths]), pa.int32())
    places = pa.array(np.arange(sum(lengths) + 1) * k, pa.int32())
    kinds: dict[str, Any] = {"ids": np.int32, "logprobs": np.float16, "tail": np.float32}
    flat = {
        name: np.concatenate(
            [np.empty(0, kind), *(getattr(one, name).ravel() for one in found)]
        ).astype(kind)
        for name, kind in kinds.items()
    }
    nested = [
        pa.ListArray.from_arrays(places, pa.array(flat[name])) for name in ("ids", "logprobs")
    ]
    tokens = pa.array(
        np.concatenate([np.empty(0, np.int32), *(text or [] for text in texts)]).astype(np.int32)
    )
    lists = [
        pa.ListArray.from_arrays(rows, values)
        for values in (tokens, *nested, pa.array(flat["tail"]))
    ]
    fingerprints = pa.array([None if text is None else tokenizer for text in texts], pa.string())
    return pa.StructArray.from_arrays(
        [*lists, fingerprints], fields=kind, mask=fingerprints.is_null()
    )


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


def statistics(files: Sequence[Path], storing: Storing) -> dict[str, Any]:
    """Tokens, and what is stored takes for each: in memory, and compressed on disk."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows, disk, cut, k = 0, 0, 0, storing.k
    tokens = dict.fromkeys((TOPK, *([PROMPT_TOPK] if storing.prompts else [])), 0)
    for file in files:
        with pq.ParquetFile(file) as parquet:
            meta = parquet.metadata
            rows, cut = rows + meta.num_rows, cut + int(parquet.schema_arrow.metadata[CUT])
            columns = [
                meta.row_group(g).column(c)
                for g in range(meta.num_row_groups)
                for c in range(meta.num_columns)
            ]
            disk += sum(
                c.total_compressed_size for c in columns if c.path_in_schema.split(".")[0] in tokens
            )
            for name in tokens:
                for batch in parquet.iter_batches(columns=[f"{name}.tokens"]):
                    tokens[name] += (
                        pc.sum(pc.list_value_length(batch[0].field("tokens"))).as_py() or 0
                    )
    return {
        "k": k,
        "rows": rows,
        "cut": cut,
        "tokens": tokens[TOPK],
        **({"prompt_tokens": tokens[PROMPT_TOPK]} if storing.prompts else {}),
        "bytes_per_token": 6 * k + 8,
        "bytes_per_token_on_disk": round(disk / max(sum(tokens.values()), 1), 1),
    }
