"""`train probe`: how likely a student finds each row of a version, and whether it is right.

Rows with a low likelihood or a wrong answer show what the student finds hard. The next round of
generation can make more questions like these (the feedback of Lion: Jiang et al. 2023, arXiv
2305.12870).

The result is a run folder with the same rows and two more columns. `datagen publish` makes the next
version of it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from datagen.answers import equal, extract
from datagen.answers.matching import matches
from datagen.answers.numbers import parse
from datagen.errors import UserError
from datagen.progress import meter
from datagen.prompts.episodes import Format
from datagen.records.names import public_name
from datagen.records.serialise import to_json
from datagen.run.derived import derived, read_source
from datagen.run.folder import commit, read_stats, write_json
from datagen.running import run_coroutine
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
from datagen.teacher.chat.reasoning import split_reasoning
from datagen.teacher.journal import JournaledTeacher

if TYPE_CHECKING:
    import pyarrow as pa

LOGPROB = "student_logprob"
CORRECT = "student_correct"
PIECE = 256
"""Rows that are asked at once, and the rows of one row group of the file. A kill loses at most the
answers that were not yet in the journal. More rows would only need more memory."""


@dataclass(frozen=True)
class ProbeSettings:
    """Ask a student the prompts of a version: how likely it finds each completion, and whether its
    own answer is right.
    """

    positional: ClassVar[tuple[str, ...]] = ("student", "source")

    student: str
    """The student's folder, or hf:NAME_OR_PATH, or any other engine that can score."""
    source: str
    """A version: NAME@1.0.0, NAME for its newest, or its folder; or a finished run's folder."""
    out: Path | None = None
    """The folder of the new run. Default: runs/SOURCE-probe. The same command again resumes it."""
    max_tokens: int = 512
    """Longest answer, in tokens."""
    engine: Literal["local", "ray"] = "local"
    """Where the student answers: in this process, or on the workers of a Ray cluster."""
    workers: int | None = None
    """Number of copies of the student with ray. By default as many as the cluster's GPUs hold, or
    one on each machine."""
    family: str | None = None
    """Which rows, where the version holds several families: rationales, instructions or
    demonstrations."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


@dataclass(frozen=True)
class Probed:
    """A finished probe."""

    out: Path
    """The run folder."""
    statistics: Mapping[str, Mapping[str, Any]]
    """By config: rows, unasked, mean_logprob, correct."""

    @property
    def summary(self) -> str:
        """The closing lines that the command prints, one for each config."""
        lines = [line_of(config, found) for config, found in self.statistics.items()]
        return "\n".join([*lines, f"written to {self.out}; next: datagen publish {self.out} NAME"])


def run_and_print(settings: ProbeSettings) -> None:
    """Probe a student and print the statistics.

    Raises:
        UserError: the input cannot be used.
    """
    print(probe(settings).summary)


def probe(settings: ProbeSettings) -> Probed:
    """Ask the student every row, and write the run.

    Raises:
        UserError: a setting, the student or the version cannot be used.
    """
    if settings.max_tokens < 1:
        raise UserError(f"--max_tokens {settings.max_tokens}: at least 1 is needed")
    check_workers(settings.workers)
    source = read_source(settings.source, store=settings.store, family=settings.family)
    out = settings.out or Path("runs") / f"{source.name}-probe"

    spec = TeacherSpec.of_folder(settings.student) or TeacherSpec.parse(settings.student)
    student = connect(spec, engine=settings.engine, workers=settings.workers)
    recorded = {
        "probed_student": public_name(run_coroutine(student.identify())),
        "probe_max_tokens": settings.max_tokens,
    }
    with derived(source, out, recorded) as unfinished:
        if unfinished:
            found = run_coroutine(ask_all(source.files, out, student, settings.max_tokens))
            more = {"finished": True, "probe": found, "code_commit": commit()}
            write_json(out / "stats.json", to_json(source.stats) | more)
    # from the file, so that a run that was finished before gives the same
    return Probed(out, read_stats(out)["probe"])


async def ask_all(
    files: Mapping[str, Sequence[Path]], out: Path, student: Teacher, max_tokens: int
) -> dict[str, dict[str, Any]]:
    """Write `out/CONFIG.parquet` for the rows in the files of each config.

    Every answer is in the journal before the next piece is asked, so a kill loses no more than a
    piece's answers.

    Returns:
        The statistics of each config.
    """
    journal = JournaledTeacher(student, out / "journal.sqlite")
    try:
        await journal.open()
        return {
            config: await write_config(config, sources, out, journal, max_tokens)
            for config, sources in files.items()
        }
    finally:
        await journal.close()


async def write_config(
    config: str, sources: Sequence[Path], out: Path, student: Teacher, max_tokens: int
) -> dict[str, Any]:
    """Write one config: its rows as they are, and the two columns of the probe.

    Returns:
        Its statistics.
    """
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    rows = ds.dataset([str(source) for source in sources], format="parquet")
    schema = schema_with_columns(rows.schema)
    # a version that was probed before has these columns: they are replaced
    columns = [name for name in rows.schema.names if name not in (LOGPROB, CORRECT)]
    partial = out / f"{config}.partial"
    # kept for the statistics; the rows themselves are written piece by piece
    answers: list[tuple[float | None, bool | None]] = []
    with (
        pq.ParquetWriter(partial, schema, compression="zstd") as writer,
        meter(config, rows.count_rows()) as progress,
    ):
        for batch in rows.to_batches(columns=columns, batch_size=PIECE, use_threads=False):
            asked = (ask_row(row, student, max_tokens) for row in batch.to_pylist())
            found = await asyncio.gather(*asked)
            answers += found
            writer.write_batch(add_columns(batch, found, schema))
            progress.advance(by=len(found))
    # renamed only when complete, so a file under its final name is never cut off
    os.replace(partial, out / f"{config}.parquet")
    return statistics(answers)


async def ask_row(row: Row, student: Teacher, max_tokens: int) -> tuple[float | None, bool | None]:
    """Ask one row.

    Returns:
        The mean log-probability of the completion's tokens, in nats, and whether the greedy answer
        is right. None if the student cannot be asked, for example because the row exceeds its
        context.

    Raises:
        Unavailable: the student gave no answer. The same command asks again.
    """
    prompt = tuple((turn["role"], turn["content"]) for turn in row["prompt"])
    completion = row["completion"][-1]["content"]
    greedy = Request(prompt, sampling=Sampling(temperature=0, max_tokens=max_tokens))

    logprob = None
    correct = None
    try:
        scores = await student.score(prompt, completion)
        logprob = sum(scores) / len(scores) if scores else None
        # greedy, so that a probe gives the same result again
        [answer] = await student.complete(greedy)
        correct = is_right(row, answer.text)
    # an outage says nothing about the row, so it must not count as unasked
    except Unavailable:
        raise
    except TeacherError:
        pass
    return logprob, correct


def is_right(row: Row, text: str) -> bool:
    """Return whether a text gives the answer of the row.

    The row's `answer` decides, else the `target` of an episode, else the completion itself.
    """
    if row.get("answer"):
        kind = answer_type_of(row["answer"])
        found = extract(text, kind)
        return found is not None and equal(found, row["answer"], kind)
    if row.get("target"):
        return matches(Format(row["format"]).read(text), row["target"])
    # the student's reasoning is not part of its text, so that of the teacher is not compared
    _, wanted = split_reasoning(row["completion"][-1]["content"])
    return matches(text.strip() or None, wanted)


def answer_type_of(answer: str) -> str:
    """Return the type of a canonical answer, judged by its form: versions do not store it."""
    if parse(answer) is not None:
        return "number"
    # letters of choices are upper case in every suite, and canonical texts are lower case
    if re.fullmatch(r"[A-Z]", answer):
        return "choice"
    return "yesno" if answer in ("yes", "no") else "text"


def schema_with_columns(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a config, followed by those of the probe."""
    import pyarrow as pa

    columns = [column for column in schema if column.name not in (LOGPROB, CORRECT)]
    return pa.schema([*columns, (LOGPROB, pa.float64()), (CORRECT, pa.bool_())])


def add_columns(
    batch: Any, found: Sequence[tuple[float | None, bool | None]], schema: pa.Schema
) -> pa.RecordBatch:
    """Return the rows with the two columns of the probe."""
    import pyarrow as pa

    rounded = [None if logprob is None else round(logprob, 4) for logprob, _ in found]
    columns = [
        *batch.columns,
        pa.array(rounded, pa.float64()),
        pa.array([right for _, right in found], pa.bool_()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def statistics(answers: Sequence[tuple[float | None, bool | None]]) -> dict[str, Any]:
    """Return the number of rows, of those that could not be asked, and the means of the rest."""
    logprobs = [logprob for logprob, _ in answers if logprob is not None]
    right = [correct for _, correct in answers if correct is not None]
    return {
        "rows": len(answers),
        "unasked": len(answers) - len(right),
        "mean_logprob": round(sum(logprobs) / len(logprobs), 4) if logprobs else None,
        "correct": round(sum(right) / len(right), 4) if right else None,
    }


def line_of(config: str, found: Mapping[str, Any]) -> str:
    """Return the line that the command prints for a config."""
    line = (
        f"{config}: {found['rows']:,} rows; right {found['correct']}, mean log-probability "
        f"{found['mean_logprob']} nats a token"
    )
    return line + (f"; {found['unasked']:,} could not be asked" if found["unasked"] else "")
