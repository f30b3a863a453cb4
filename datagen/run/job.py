"""What all methods share: they open a teacher, record a configuration, and stream rows.

A method describes itself as a `Job`, and `run_job` runs it. So a new method consists of its
algorithm, its settings and its prompts.
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
from datagen.records.stats import SourceCounts
from datagen.run.open_run import OpenRun
from datagen.running import run_coroutine
from datagen.sources.files import split_of
from datagen.teacher import Teacher
from datagen.teacher.chat.kept import reasoning_lines
from datagen.teacher.cost.budget import Account, format_spending
from datagen.teacher.license import find_license

Stats = dict[str, Any]
Work = Callable[[OpenRun, Teacher], Awaitable[Stats]]


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder, its statistics, and the lines that the command prints."""

    path: Path
    stats: Mapping[str, Any]
    summary: str


class Incomplete(UserError):
    """A run that ended before it reached its target. `result` holds what it made.

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
    """Family of the rows: rationales, instructions or demonstrations."""
    out: Path
    """The run folder."""
    teacher: Teacher
    """Who answers. The run opens and closes it."""
    teacher_license: str | None = None
    """The licence of the teacher, as the user gave it."""
    account: Account = field(default_factory=Account)
    """What the run may spend. Default: no limit."""
    source: Mapping[str, Any]
    """What the configuration records of the source: no local path, a hash of all items."""
    read: SourceCounts | None = None
    """What was read of the source, and what was not. None for a source that is no file."""
    settings: Mapping[str, Any]
    """Only the settings that decide the rows. Another speed or folder is the same run."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """The prompt templates by name, with `{fields}` in place of the items."""
    work: Work
    """Writes the rows of every item into the open run, and returns the statistics."""
    summarise: Callable[[Stats, Path], str] | None = None
    """Makes the closing lines. Default: those that all methods share."""

    def config(self, identity: str, license: str | None) -> RunConfig:
        """Return the configuration of the run: all that decides its rows, and nothing else.

        Args:
            identity: the name under which the journal stores the teacher's answers.
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
    """Run a job, or continue it after a stop.

    Raises:
        UserError: the folder holds another run, nothing was accepted, or the endpoint is down.
    """
    stats = run_coroutine(work_on(job))
    return RunResult(job.out, stats, (job.summarise or summary)(stats, job.out))


async def work_on(job: Job) -> Stats:
    """Do the work of a job in its run folder, and return the statistics."""
    identity = await job.teacher.identify()
    license = await find_license(job.teacher, job.teacher_license, job.out)
    config = job.config(identity, license)

    with OpenRun(job.out, config, family=job.family, account=job.account, read=job.read) as run:
        return await job.work(run, job.teacher)


def source_record(name: str, count: int, parts: Iterable[Any]) -> dict[str, Any]:
    """Return what a configuration records of a file, a run or a version.

    Args:
        name: the source as the user gave it. For a path only the file's own name is recorded.
        count: how many items it has.
        parts: JSON values that contain all that the teacher is asked. Their hash is recorded.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part, sort_keys=True).encode())
    bare, split = split_of(name)
    return {
        "suite": Path(bare).stem if Path(bare).exists() else bare,
        "hub": None,
        "split": split,
        "questions": count,
        "sha256": digest.hexdigest(),
    }


def default_out(method: str, name: str) -> Path:
    """Return the run folder for a run whose user named none."""
    return Path("runs") / f"{method}-{name.replace('/', '-')}"


def summary(stats: Stats, out: Path) -> str:
    """Return the closing lines of a run: counts, reasons, tokens, cost, and the next commands."""
    return "\n".join(
        [
            f"{stats['questions']:,} items, {stats['answers']:,} answers in {stats['seconds']:,} s",
            f"accepted:  {sum(stats['accepted'].values()):,}",
            f"rejected:  {counted(stats['rejected'])}",
            *reasoning_lines(stats),
            format_spending(stats),
            *source_lines(stats),
            f"written to {out}; next: datagen inspect {out}, datagen publish {out} NAME",
        ]
    )


def source_lines(stats: Mapping[str, Any]) -> list[str]:
    """Return the closing lines about the source: what was left out of it, and not read."""
    read = stats.get("source")
    return from_json(SourceCounts, read, "stats.json").lines() if read else []


def counted(rejected: Mapping[str, int]) -> str:
    """Return the reasons with their counts: `wrong 12, truncated 3`, or `none`."""
    return ", ".join(f"{reason} {number:,}" for reason, number in rejected.items()) or "none"
