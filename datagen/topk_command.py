"""`datagen topk`: a run or a version in, a run of the same rows and the teacher's probabilities out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datagen.publish import resolve
from datagen.publish.lineage import CONFIG_KEYS, read_run
from datagen.run_folder import keep_config, lock, read_stats
from datagen.schema import FAMILIES, arrow_schema
from datagen.teacher import connect
from datagen.teacher.topk import check_topk
from datagen.topk import finish


@dataclass(frozen=True)
class TopkSettings:
    """Store a teacher's probabilities for the rows of a finished run or a version, for `train kd`."""

    positional: ClassVar[tuple[str, ...]] = ("source",)

    source: str
    """A finished run's folder, or a version: NAME@1.0.0, NAME for its newest, or its folder."""
    out: Path | None = None
    """The folder of the new run, by default runs/SOURCE-topk. The same command again resumes it."""
    teacher: str | None = None
    """Whose probabilities: micro, hf:NAME_OR_PATH or vllm:NAME_OR_PATH; by default the teacher that wrote the rows."""
    teacher_topk: int = 64
    """How many of the most probable tokens are stored in the place of each token of a completion; the probability of
    all others is stored as one number. 6 bytes each, and 8 a token."""
    store: Path | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""


@dataclass(frozen=True)
class Source:
    """What there is before."""

    name: str
    config: dict[str, Any]
    stats: dict[str, Any]
    files: dict[str, list[Path]]
    """The Parquet files of each config of accepted rows."""
    rejected: list[Path]


def topk(settings: TopkSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    source = read_source(settings)
    out = settings.out or Path("runs") / f"{source.name}-topk"
    teacher: Any = connect(settings.teacher or source.config["teacher"]["name"])
    check_topk(teacher, settings.teacher_topk)
    told = {"teacher_topk": settings.teacher_topk, "topk_teacher": teacher.identity}
    config = source.config | {"settings": source.config["settings"] | told}
    out.mkdir(parents=True, exist_ok=True)
    with lock(out):
        keep_config(out, config)
        if not (out / "stats.json").exists():
            copy_rejected(source.rejected, out, family=family_of(source.files))
            asyncio.run(finish(source.files, out, teacher, settings.teacher_topk, source.stats))
    print(summary(read_stats(out), out))


def read_source(settings: TopkSettings) -> Source:
    """Raises UserError where there is neither a finished run nor a version."""
    run = Path(settings.source)
    if (run / "config.json").is_file():
        config, stats = read_run(run)
        files = {c: [run / f"{c}.parquet"] for c, rows in stats["accepted"].items() if rows}
        return Source(run.resolve().name, config, stats, files, [run / "rejected.parquet"])
    version = resolve(settings.source, store=settings.store)
    lineage = version.lineage
    config = {"format": 1, **{key: lineage.get(key) for key in CONFIG_KEYS}, "code_version": lineage["code"]["version"]}
    stats = {"finished": True, **lineage["counts"], **lineage["quality"], **lineage["usage"]}
    files = {c: version.files_of(c) for c in stats["accepted"]}
    return Source(version.name.replace("/", "-"), config, stats, files, version.files_of("rejected"))


def copy_rejected(files: Sequence[Path], out: Path, *, family: str) -> None:
    """The rejected rows as they were. A version without any has no file for them, a run has an empty one."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(files[0]) if files else arrow_schema("rejected", family=family)
    with pq.ParquetWriter(out / "rejected.parquet", schema, compression="zstd") as writer:
        for file in files:
            writer.write_table(pq.read_table(file))


def family_of(configs: Iterable[str]) -> str:
    """The family that has these configs."""
    wanted = set(configs)
    return next(family for family, its in FAMILIES.items() if wanted <= set(its))


def summary(stats: Mapping[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    found = stats["teacher_topk"]
    cut = f"; {found['cut']:,} rows exceed the teacher's context: stored as far as it reaches" if found["cut"] else ""
    return "\n".join(
        [
            f"{found['rows']:,} rows, {found['tokens']:,} tokens, the {found['k']} most probable of each{cut}",
            f"bytes a token: {found['bytes_per_token']} in memory, {found['bytes_per_token_on_disk']} on disk",
            f"written to {out}; next: datagen publish {out} NAME",
        ]
    )
