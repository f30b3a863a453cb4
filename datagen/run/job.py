"""What every method needs, once: open the teacher, write the configuration, stream rows, sum up.

A method says what it is as a `Job`; `run_job` does it. A new method is its algorithm, its settings
and its prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datagen
from datagen.errors import UserError
from datagen.records.config import RunConfig, SourceRecord, TeacherRecord
from datagen.records.serialise import from_json
from datagen.run.open_run import OpenRun
from datagen.running import run_coroutine
from datagen.teacher import Teacher
from datagen.teacher.cost.budget import Account, spending
from datagen.teacher.license import find_license

Stats = dict[str, Any]
Work = Callable[[OpenRun, Teacher], Awaitable[Stats]]


@dataclass(frozen=True)
class RunResult:
    """A finished run of a method: its folder, and what a person wants to know at the end."""

    path: Path
    stats: Mapping[str, Any]
    summary: str


class Incomplete(UserError):
    """A run ended before it reached its target. What it found is kept in `result`.

    Example:
        >>> import datagen
        >>> issubclass(datagen.Incomplete, datagen.UserError)
        True
    """

    def __init__(self, message: str, result: RunResult):
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, kw_only=True)
class Job:
    """A method that is ready to run on a source.

    Example:
        >>> # run_job(Job(method="respond", family="instructions", out=..., teacher=..., ...))
    """

    method: str
    family: str
    """Which configs its rows belong to: rationales, instructions or demonstrations."""
    out: Path
    """The run folder."""
    teacher: Teacher
    """Opened by the run, and closed by it."""
    teacher_license: str | None = None
    """The licence of the teacher, as the user gave it."""
    account: Account = field(default_factory=Account)
    source: Mapping[str, Any]
    """What the configuration says of the source: no machine path, a hash of all that is asked."""
    settings: Mapping[str, Any]
    """The settings that decide the rows, and no others."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """The prompts that the teacher is asked, by name, with `{fields}` where the items stand."""
    work: Work
    """Fills the open run with the rows of every item. Returns the statistics."""
    summarise: Callable[[Stats, Path], str] | None = None
    """The closing lines; by default those that all methods share."""

    def config(self, identity: str, license: str | None) -> RunConfig:
        """The configuration of the run: all that decides its rows, and nothing else.

        Args:
            identity: which teacher answers, as the journal keys answers by.
            license: the licence of the teacher's weights or outputs, if it is known.
        """
        return RunConfig(
            method=self.method,
            code_version=datagen.__version__,
            teacher=TeacherRecord(name=self.teacher.name, identity=identity, license=license),
            source=from_json(SourceRecord, self.source, "the source of the run"),
            settings=self.settings,
            prompts=self.prompts,
        )


def run_job(job: Job) -> RunResult:
    """Run a job, or go on with it where it was stopped.

    Raises:
        UserError: the folder holds another run, or nothing was accepted, or the endpoint is down.
    """
    stats = run_coroutine(work_on(job))
    return RunResult(job.out, stats, (job.summarise or summary)(stats, job.out))


async def work_on(job: Job) -> Stats:
    """Do the work of a job in its run folder. Returns the statistics."""
    identity = await job.teacher.identify()
    license = await find_license(job.teacher, job.teacher_license, job.out)
    config = job.config(identity, license)

    with OpenRun(job.out, config, family=job.family, account=job.account) as run:
        return await job.work(run, job.teacher)


def source_record(name: str, count: int, parts: Iterable[Any]) -> dict[str, Any]:
    """What a configuration says of a source that is a file, a run or a version.

    Args:
        name: the source as the user gave it. Of a path only the file's own name is recorded.
        count: how many items it has.
        parts: JSON values that together hold all that is asked. Their hash is recorded.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part, sort_keys=True).encode())
    return {
        "suite": Path(name).stem if Path(name).exists() else name,
        "hub": None,
        "split": None,
        "questions": count,
        "sha256": digest.hexdigest(),
    }


def default_out(method: str, name: str) -> Path:
    """The run folder where the user names none."""
    return Path("runs") / f"{method}-{name.replace('/', '-')}"


def summary(stats: Stats, out: Path) -> str:
    """The closing lines of a run: items, rows, reasons, tokens and cost, and what to do next."""
    return "\n".join(
        [
            f"{stats['questions']:,} items, {stats['answers']:,} answers in {stats['seconds']:,} s",
            f"accepted:  {sum(stats['accepted'].values()):,}",
            f"rejected:  {counted(stats['rejected'])}",
            spending(stats),
            f"written to {out}; next: datagen inspect {out}, datagen publish {out} NAME",
        ]
    )


def counted(rejected: Mapping[str, int]) -> str:
    """`wrong 12, truncated 3`, or `none`."""
    return ", ".join(f"{reason} {number:,}" for reason, number in rejected.items()) or "none"
