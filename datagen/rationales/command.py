"""`datagen rationales`: reads questions, and writes a run folder of chains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from datagen.rationales.chains import METHOD, describe
from datagen.rationales.generate import distil, sampling_of
from datagen.rationales.prompts import Prompts, read_shots, recorded_prompts
from datagen.rationales.settings import RationaleSettings
from datagen.rationales.statistics import statistics
from datagen.run.job import Job, RunResult, counted, run_job, source_lines
from datagen.run.open_run import OpenRun
from datagen.sources.files import split_of
from datagen.sources.tally import SourceTally
from datagen.suites import SUITES, Question, Suite, load, questions_from_file
from datagen.suites.load import find
from datagen.teacher import Request, Teacher
from datagen.teacher.chat.kept import reasoning_lines, without_default
from datagen.teacher.cost.budget import format_spending
from datagen.teacher.cost.forecast import Bound, Forecast, forecast_of
from datagen.teacher.settings import UNRECORDED
from datagen.teacher.topk import check_topk
from datagen.topk.storing import extend

NOT_IN_CONFIG = UNRECORDED | {"data_root", "source", "split", "shots"}
"""Settings that change no row, and those that the configuration records in another form."""


def run_rationales(settings: RationaleSettings) -> RunResult:
    """Sample, filter and store the chains of every question. Raises UserError."""
    tally = SourceTally()
    prompts, questions = read_source(settings, tally)
    out = settings.out or default_out(settings, prompts.suite)

    return run_job(
        Job(
            method=METHOD,
            family="rationales",
            out=out,
            teacher=settings.connect(out),
            teacher_license=settings.teacher_license,
            account=settings.account(),
            source=source_of(questions, prompts.suite, settings),
            read=tally.counts(),
            settings=recorded(settings, prompts),
            prompts=recorded_prompts(prompts, hints=bool(settings.hints)),
            work=partial(distil_all, questions=questions, prompts=prompts, settings=settings),
            summarise=summary,
        )
    )


def forecast_rationales(settings: RationaleSettings) -> Forecast:
    """Return what a run would ask and cost. Raises UserError."""
    tally = SourceTally()
    prompts, questions = read_source(settings, tally)
    sampling = sampling_of(settings, prompts)
    asked = [Request(prompts.ask(q), n=settings.samples, sampling=sampling) for q in questions]
    most = f"at most {settings.samples}" if settings.adaptive else settings.samples
    what = f"{len(questions)} questions × {most} samples to {settings.teacher}"
    return forecast_of(asked, what, settings, bound=bound_of(settings), notes=tally.lines())


def bound_of(settings: RationaleSettings) -> Bound:
    """Return which way the forecast can be wrong: nobody knows how many questions need more."""
    if settings.adaptive:
        return "at most "
    return "at least " if settings.hints else ""


async def distil_all(
    run: OpenRun,
    teacher: Teacher,
    *,
    questions: Sequence[Question],
    prompts: Prompts,
    settings: RationaleSettings,
) -> dict[str, Any]:
    """Distil every question. Then store the teacher's probabilities, if they are asked for."""
    # before anything is asked: a teacher without probabilities would waste the whole run
    if settings.teacher_topk:
        check_topk(teacher, settings.teacher_topk)

    stats = await run.each(
        questions,
        partial(distil, prompts=prompts, settings=settings),
        teacher=teacher,
        describe=partial(describe, prompts=prompts),
        statistics=statistics,
        concurrency=settings.under_way,
    )
    if settings.teacher_topk and "teacher_topk" not in stats:
        # the rows are whole by then, so a teacher that fails here costs no chain
        stats = await extend(run.path, teacher, settings.teacher_topk, stats)
    return stats


def read_source(
    settings: RationaleSettings, tally: SourceTally
) -> tuple[Prompts, Sequence[Question]]:
    """Return the prompts of a run, and the questions of its source. Raises UserError."""
    suite, questions = read_questions(settings, tally)
    shots = read_shots(settings.shots, suite) if settings.shots else ()
    return Prompts(suite, settings.prompt_style, shots), questions


def read_questions(
    settings: RationaleSettings, tally: SourceTally
) -> tuple[Suite, Sequence[Question]]:
    """Return a suite by its name, or one made of a file or dataset, with the questions."""
    source = settings.source
    if is_suite(source):
        suite = find(source)
        return suite, load(
            suite.name,
            settings.split,
            data_root=settings.data_root,
            limit=settings.limit,
            seed=settings.seed,
        )

    bare, split = file_and_split(settings)
    suite = Suite(Path(bare).stem, settings.answer_type)
    return suite, questions_from_file(
        f"{bare}:{split}" if split else bare,
        question=settings.question_column,
        answer=settings.answer_column,
        answer_type=settings.answer_type,
        limit=settings.limit,
        tally=tally,
    )


def is_suite(source: str) -> bool:
    """Return whether a source is the name of a suite, and no file or dataset."""
    if source in SUITES:
        return True
    # a suite that is misspelt must be named as such: a name without a dot or slash is no file, and
    # `bbh` is no owner on the Hub
    named_like_one = source.startswith("bbh/") or not ("." in source or "/" in source)
    return named_like_one and not Path(split_of(source)[0]).exists()


def file_and_split(settings: RationaleSettings) -> tuple[str, str | None]:
    """Return the name of a file or dataset, and its split: behind a colon, or from `--split`."""
    bare, split = split_of(settings.source)
    # the default of --split is for suites: a file may have no splits at all
    asked = settings.split if settings.split != "train" else None
    return bare, split or asked


def default_out(settings: RationaleSettings, suite: Suite) -> Path:
    """Return the run folder if the user names none."""
    # a suite such as bbh/navigate must not become a folder in a folder
    return Path("runs") / f"{suite.name.replace('/', '-')}-{settings.split}"


def source_of(
    questions: Sequence[Question], suite: Suite, settings: RationaleSettings
) -> dict[str, Any]:
    """Return what the configuration says of the questions: their names, and a hash of them."""
    digest = hashlib.sha256()
    # the gold answer belongs to the source: with another one, other chains are kept
    for question in questions:
        digest.update(json.dumps([question.id, question.gold]).encode())
    return {
        "suite": suite.name,
        "hub": suite.hub or None,
        "split": settings.split if suite.name in SUITES else file_and_split(settings)[1],
        "questions": len(questions),
        "sha256": digest.hexdigest(),
    }


def recorded(settings: RationaleSettings, prompts: Prompts) -> dict[str, Any]:
    """Return the settings that decide the rows."""
    values = {name: value for name, value in vars(settings).items() if name not in NOT_IN_CONFIG}
    # runs from before this setting existed do not have it, and must be resumable
    if not settings.teacher_topk:
        del values["teacher_topk"]
    return without_default(settings, values) | {"shots": [list(shot) for shot in prompts.shots]}


def summary(stats: dict[str, Any], out: Path) -> str:
    """Return the closing lines of a run."""
    accepted = ", ".join(f"{number:,} {config}" for config, number in stats["accepted"].items())
    lines = [
        f"{stats['questions']:,} questions, {stats['answers']:,} answers in {stats['seconds']:,} s",
        f"accepted:  {accepted}",
        f"rejected:  {counted(stats['rejected'])}",
    ]

    agreement = stats["agreement"]["mean"]
    if agreement is not None:
        lines.append(f"agreement: {agreement:.3f} over {stats['samples']:.2f} chains a question")
    accuracy = stats["accuracy"]
    if accuracy["questions"]:
        lines.append(
            f"accuracy:  one chain {accuracy['single']:.3f}, majority {accuracy['majority']:.3f}, "
            f"any {accuracy['solved']:.3f}"
        )

    lines += reasoning_lines(stats)
    lines += [format_spending(stats), *source_lines(stats)]
    lines.append(f"written to {out}; next: datagen publish {out} NAME")
    return "\n".join(line for line in lines if line)
