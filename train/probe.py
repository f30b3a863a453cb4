"""`train probe`: what a student makes of the rows of a dataset version, so that the next round of
generation can aim at what it finds hard (the feedback of Lion: Jiang et al. 2023, arXiv
2305.12870).

A run folder comes of it, with the same rows and two columns more; `datagen publish` makes the next
version of it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cards.render import public_name
from datagen.answers import equal, extract
from datagen.answers.matching import matches
from datagen.answers.numbers import parse
from datagen.errors import UserError
from datagen.progress import meter
from datagen.prompts.episodes import Format
from datagen.records.serialise import to_json
from datagen.run.derived import derived, read_source
from datagen.run.folder import commit, read_stats, write_json
from datagen.schema import Row
from datagen.teacher import (
    Request,
    Sampling,
    Teacher,
    TeacherError,
    TeacherSpec,
    Unavailable,
    check_workers,
    connect,
)
from datagen.teacher.journal import JournaledTeacher

if TYPE_CHECKING:
    import pyarrow as pa

LOGPROB, CORRECT = "student_logprob", "student_correct"
PIECE = 256
"""Rows that are asked at once, and a row group of the file."""


@dataclass(frozen=True)
class ProbeSettings:
    """Ask a student the prompts of a version: how likely it finds each row's completion, and
    whether it is right."""

    positional: ClassVar[tuple[str, ...]] = ("student", "source")

    student: str
    """The student's folder, or hf:NAME_OR_PATH, or any other engine that can score."""
    source: str
    """A version: NAME@1.0.0, NAME for its newest, or its folder; or a finished run's folder."""
    out: Path | None = None
    """The folder of the new run, by default runs/SOURCE-probe. The same command again resumes
    it."""
    max_tokens: int = 512
    """Longest answer, in tokens."""
    engine: Literal["local", "ray"] = "local"
    """Where the student answers: in this process, or on the workers of a Ray cluster."""
    workers: int | None = None
    """Number of students with ray. By default as many as the cluster's GPUs hold, or one a
    machine."""
    family: str | None = None
    """Whose rows, where the version holds several families: rationales, instructions or
    demonstrations."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


def probe(settings: ProbeSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    if settings.max_tokens < 1:
        raise UserError(f"--max_tokens {settings.max_tokens}: at least 1 is needed")
    check_workers(settings.workers)
    source = read_source(settings.source, store=settings.store, family=settings.family)
    out = settings.out or Path("runs") / f"{source.name}-probe"
    spec = TeacherSpec.of_folder(settings.student) or TeacherSpec.parse(settings.student)
    student = connect(spec, engine=settings.engine, workers=settings.workers)
    told = {
        "probed_student": public_name(asyncio.run(student.identify())),
        "probe_max_tokens": settings.max_tokens,
    }
    with derived(source, out, told) as unfinished:
        if unfinished:
            found = asyncio.run(ask_all(source.files, out, student, settings.max_tokens))
            write_json(
                out / "stats.json",
                {
                    **to_json(source.stats),
                    "finished": True,
                    "probe": found,
                    "code_commit": commit(),
                },
            )
    print(summary(read_stats(out)["probe"], out))


async def ask_all(
    files: Mapping[str, Sequence[Path]], out: Path, student: Teacher, max_tokens: int
) -> dict[str, dict[str, Any]]:
    """Write `out/CONFIG.parquet` for the rows in the files of each config; return what statistics
    say of it.

    Every answer is in the journal before the next piece is asked, so a kill loses no more than a
    piece's."""
    journal = JournaledTeacher(student, out / "journal.sqlite")
    try:
        await journal.open()
        return {
            config: await write(config, sources, out, journal, max_tokens)
            for config, sources in files.items()
        }
    finally:
        await journal.close()


async def write(
    config: str, sources: Sequence[Path], out: Path, student: Teacher, max_tokens: int
) -> dict[str, Any]:
    """One config: its rows as they are, with what the student makes of each."""
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    rows = ds.dataset([str(source) for source in sources], format="parquet")
    schema = with_probe(rows.schema)
    columns = [name for name in rows.schema.names if name not in (LOGPROB, CORRECT)]
    partial, logprobs, right = out / f"{config}.partial", list[float | None](), list[bool | None]()
    with (
        pq.ParquetWriter(partial, schema, compression="zstd") as writer,
        meter(config, rows.count_rows()) as progress,
    ):
        for batch in rows.to_batches(columns=columns, batch_size=PIECE, use_threads=False):
            found = await asyncio.gather(
                *(ask(row, student, max_tokens) for row in batch.to_pylist())
            )
            logprobs += [logprob for logprob, _ in found]
            right += [correct for _, correct in found]
            writer.write_batch(added(batch, found, schema))
            progress.advance(by=len(found))
    os.replace(partial, out / f"{config}.parquet")
    return statistics(logprobs, right)


async def ask(row: Row, student: Teacher, max_tokens: int) -> tuple[float | None, bool | None]:
    """Mean log-probability of the completion's tokens, in nats, and whether the greedy answer is
    right; None for what the student cannot be asked, such as a row beyond its context.

    Raises:
        Unavailable: There was no answer. The same command asks again.
    """
    prompt = tuple((turn["role"], turn["content"]) for turn in row["prompt"])
    completion = row["completion"][-1]["content"]
    greedy = Request(prompt, sampling=Sampling(temperature=0, max_tokens=max_tokens))
    logprob = correct = None
    try:
        scores = await student.score(prompt, completion)
        logprob = sum(scores) / len(scores) if scores else None
        [answer] = await student.complete(greedy)
        correct = is_right(row, answer.text)
    except Unavailable:
        raise
    except TeacherError:
        pass
    return logprob, correct


def is_right(row: Row, text: str) -> bool:
    """Whether a text answers as the row does: by its `answer`, an episode's `target`, else the
    completion itself."""
    if row.get("answer"):
        kind = type_of(row["answer"])
        found = extract(text, kind)
        return found is not None and equal(found, row["answer"], kind)
    if row.get("target"):
        return matches(Format(row["format"]).read(text), row["target"])
    return matches(text.strip() or None, row["completion"][-1]["content"])


def type_of(answer: str) -> str:
    """The type of a canonical answer, from its form: versions do not say it."""
    if parse(answer) is not None:
        return "number"
    if re.fullmatch(r"[A-Z]", answer):
        return "choice"
    return "yesno" if answer in ("yes", "no") else "text"


def with_probe(schema: pa.Schema) -> pa.Schema:
    """A config's columns, with the probe's."""
    import pyarrow as pa

    columns = [column for column in schema if column.name not in (LOGPROB, CORRECT)]
    return pa.schema([*columns, (LOGPROB, pa.float64()), (CORRECT, pa.bool_())])


def added(
    batch: Any, found: Sequence[tuple[float | None, bool | None]], schema: pa.Schema
) -> pa.RecordBatch:
    import pyarrow as pa

    rounded = [None if logprob is None else round(logprob, 4) for logprob, _ in found]
    columns = [
        *batch.columns,
        pa.array(rounded, pa.float64()),
        pa.array([right for _, right in found], pa.bool_()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def statistics(logprobs: Iterable[float | None], right: Sequence[bool | None]) -> dict[str, Any]:
    """Rows, those that could not be asked, and the means over the others."""
    known, told = [x for x in logprobs if x is not None], [x for x in right if x is not None]
    return {
        "rows": len(right),
        "unasked": len(right) - len(told),
        "mean_logprob": round(sum(known) / len(known), 4) if known else None,
        "correct": round(sum(told) / len(told), 4) if told else None,
    }


def summary(found: Mapping[str, Mapping[str, Any]], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    lines = [
        f"{config}: {of['rows']:,} rows; right {of['correct']}, mean log-probability {of['mean_logprob']} nats a token"
        + (f"; {of['unasked']:,} could not be asked" if of["unasked"] else "")
        for config, of in found.items()
    ]
    return "\n".join([*lines, f"written to {out}; next: datagen publish {out} NAME"])
