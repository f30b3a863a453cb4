"""`datagen rationales`: questions in, a run folder out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import datagen
from datagen.rationales.generate import METHOD, describe, distil, sampling
from datagen.rationales.prompts import Prompts, read_shots
from datagen.rationales.settings import RationaleSettings
from datagen.rationales.statistics import statistics
from datagen.run import Run
from datagen.suites import SUITES, Question, Suite, load, questions_from_file
from datagen.suites.load import find
from datagen.teacher import Request
from datagen.teacher.budget import spending
from datagen.teacher.forecast import preview
from datagen.teacher.settings import UNRECORDED
from datagen.teacher.topk import check_topk
from datagen.topk import extend

NOT_IN_CONFIG = UNRECORDED | {"data_root", "source", "split", "shots"}
"""Settings that change no row, and those that the configuration records in another form."""


def rationales(settings: RationaleSettings) -> None:
    """Run, and print what came of it. Raises UserError."""
    suite, questions = read_source(settings)
    shots = read_shots(settings.shots, suite) if settings.shots else ()
    prompts = Prompts(suite, settings.prompt_style, shots)
    if settings.dry_run:
        forecast(questions, prompts, settings)
        return
    out = settings.out or Path("runs") / f"{prompts.suite.name.replace('/', '-')}-{settings.split}"
    stats = asyncio.run(generate(questions, prompts, settings, out))
    print(summary(stats, out))


async def generate(
    questions: Sequence[Question], prompts: Prompts, settings: RationaleSettings, out: Path
) -> dict[str, Any]:
    teacher = settings.connect(out)
    await asyncio.to_thread(lambda: teacher.identity)
    if settings.teacher_topk:
        check_topk(teacher, settings.teacher_topk)
    config = configuration(questions, prompts, settings, teacher.name, teacher.identity)
    with Run(out, config, account=settings.account()) as run:
        stats = await run.each(
            questions,
            partial(distil, prompts=prompts, settings=settings),
            teacher=teacher,
            describe=partial(describe, prompts=prompts),
            statistics=statistics,
            concurrency=settings.under_way,
        )
        if settings.teacher_topk and "teacher_topk" not in stats:
            stats = await extend(out, teacher, settings.teacher_topk, stats)
        return stats


def read_source(settings: RationaleSettings) -> tuple[Suite, Sequence[Question]]:
    """A suite by name, else a file or dataset with the columns that the settings name."""
    if settings.source in SUITES or not ("." in settings.source or "/" in settings.source):
        suite = find(settings.source)
        return suite, load(
            suite.name,
            settings.split,
            data_root=settings.data_root,
            limit=settings.limit,
            seed=settings.seed,
        )
    return Suite(Path(settings.source).stem, settings.answer_type), questions_from_file(
        settings.source,
        question=settings.question_column,
        answer=settings.answer_column,
        answer_type=settings.answer_type,
        limit=settings.limit,
    )


def configuration(
    questions: Sequence[Question],
    prompts: Prompts,
    settings: RationaleSettings,
    teacher: str,
    identity: str,
) -> dict[str, Any]:
    """What decides the rows, and nothing else: no machine paths, no keys, no speed settings."""
    values = {k: v for k, v in vars(settings).items() if k not in NOT_IN_CONFIG}
    if not settings.teacher_topk:
        del values["teacher_topk"]
    digest = hashlib.sha256()
    for question in questions:
        digest.update(json.dumps([question.id, question.gold]).encode())
    return {
        "method": METHOD,
        "code_version": datagen.__version__,
        "teacher": {"name": teacher, "identity": identity, "license": None},
        "source": {
            "suite": prompts.suite.name,
            "hub": prompts.suite.hub or None,
            "split": settings.split if prompts.suite.name in SUITES else None,
            "questions": len(questions),
            "sha256": digest.hexdigest(),
        },
        "settings": values | {"shots": [list(shot) for shot in prompts.shots]},
    }


def forecast(questions: Sequence[Question], prompts: Prompts, settings: RationaleSettings) -> None:
    drawn = sampling(settings, prompts)
    asked = [
        Request(prompts.ask(question), n=settings.samples, sampling=drawn) for question in questions
    ]
    most = f"at most {settings.samples}" if settings.adaptive else settings.samples
    what = f"{len(questions)} questions × {most} samples to {settings.teacher}"
    preview(
        asked,
        what,
        settings,
        bound="at most " if settings.adaptive else "at least " if settings.hints else "",
    )


def summary(stats: dict[str, Any], out: Path) -> str:
    """What a person wants to know at the end, a line each."""
    accepted = ", ".join(f"{number:,} {config}" for config, number in stats["accepted"].items())
    rejected = (
        ", ".join(f"{reason} {number:,}" for reason, number in stats["rejected"].items()) or "none"
    )
    agreement, accuracy = stats["agreement"]["mean"], stats["accuracy"]
    lines = [
        f"{stats['questions']:,} questions, {stats['answers']:,} answers in {stats['seconds']:,} s",
        f"accepted:  {accepted}",
        f"rejected:  {rejected}",
        f"agreement: {agreement:.3f} over {stats['samples']:.2f} chains a question"
        if agreement is not None
        else "",
        "accuracy:  one chain {single:.3f}, majority {majority:.3f}, any {solved:.3f}".format(
            **accuracy
        )
        if accuracy["questions"]
        else "",
        spending(stats),
        f"written to {out}; next: datagen publish {out} NAME",
    ]
    return "\n".join(line for line in lines if line)
