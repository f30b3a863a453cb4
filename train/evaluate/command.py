"""`train evaluate`: ask base, students and teacher the same held-out questions, and report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.errors import UserError
from datagen.progress import meter
from datagen.run.folder import make_folder
from datagen.suites import SUITES, Question, load
from datagen.teacher import Teacher, connect
from datagen.teacher.journal import JournaledTeacher
from train.evaluate.ask import ask
from train.evaluate.bootstrap import LEVEL, Bootstrap
from train.evaluate.cases import Case, has_cases, read_cases, tell
from train.evaluate.report import section
from train.evaluate.settings import Contender, EvaluateSettings, contenders
from train.evaluate.shots import shots_section
from train.evaluate.show import draw, print_report
from train.evaluate.show_shots import draw_shots

Asked = Mapping[str, Sequence[Question | Case]]
"""Suite: what is asked, in order."""
Found = dict[str, dict[Contender, list[Any]]]
"""Suite: contender: its answers (`Answered`, or `Told` where the suite has cases), in that
order."""


def run(settings: EvaluateSettings) -> None:
    """The command: measure, and print the tables. Raises UserError."""
    print_report(evaluate(settings))
    print(f"written to {settings.out}: report.json, answers.jsonl and the figures")


def evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Measure, and write report.json, answers.jsonl and the figures. Returns the report. Raises
    UserError."""
    models = contenders(settings)
    asked: Asked = {
        suite: read_cases(suite, settings) if has_cases(suite) else read_questions(suite, settings)
        for suite in settings.suite
    }
    make_folder(settings.out)
    found, identities = asyncio.run(ask_all(models, asked, settings))
    bootstrap = Bootstrap(settings.resamples, settings.seed)
    report = {
        "format": 1,
        "code_version": __version__,
        "settings": told(settings),
        "interval": {
            "level": LEVEL,
            "method": "percentile bootstrap over questions, paired between models",
        },
        "models": identities,
        "suites": [
            section(suite, answers, bootstrap)
            for suite, answers in found.items()
            if not has_cases(suite)
        ],
        "in_context": [
            shots_section(suite, asked[suite], answers, bootstrap)  # type: ignore[arg-type]
            for suite, answers in found.items()
            if has_cases(suite)
        ],
    }
    write(report, asked, found, settings.out)
    return report


def read_questions(suite: str, settings: EvaluateSettings) -> list[Question]:
    """The suite's questions that have a gold answer. Raises UserError where there is none."""
    found = load(
        suite,
        settings.split,
        data_root=settings.data_root,
        limit=settings.limit,
        seed=settings.seed,
    )
    questions = [question for question in found if question.gold]
    if not questions:
        raise UserError(f"suite {suite}, split {settings.split}: no question with a gold answer")
    return questions


async def ask_all(
    models: Sequence[Contender], asked: Asked, settings: EvaluateSettings
) -> tuple[Found, list[dict[str, str]]]:
    """Every contender's answers per suite, and what each model is. One model is open at a time,
    once for all its modes."""
    found: Found = {suite: {} for suite in asked}
    identities = []
    for spec in dict.fromkeys(contender.spec for contender in models):
        teacher = connect(
            spec,
            engine=settings.engine,
            workers=settings.workers,
            concurrency=settings.concurrency,
        )
        journaled = JournaledTeacher(teacher, settings.out / "journal.sqlite")
        same = [contender for contender in models if contender.spec == spec]
        try:
            await journaled.open()
            identity = await journaled.identify()
            identities += [{**asdict(contender), "identity": identity} for contender in same]
            for suite in asked:
                for contender in without_modes(same) if has_cases(suite) else same:
                    found[suite][contender] = await ask_suite(
                        journaled, contender, suite, asked[suite], settings
                    )
        finally:
            await journaled.close()
    return {suite: in_order(answers, models) for suite, answers in found.items()}, identities


def without_modes(models: Iterable[Contender]) -> list[Contender]:
    """Each model once: a prompt that stands as it is has no mode."""
    return list(dict.fromkeys(replace(contender, mode="direct") for contender in models))


def in_order(
    answers: Mapping[Contender, list[Any]], models: Sequence[Contender]
) -> dict[Contender, list[Any]]:
    """By the order in which the models were given."""
    names = [contender.name for contender in models]
    return dict(sorted(answers.items(), key=lambda item: names.index(item[0].name)))


async def ask_suite(
    teacher: Teacher,
    contender: Contender,
    suite: str,
    asked: Sequence[Any],
    settings: EvaluateSettings,
) -> list[Any]:
    each = 1 if has_cases(suite) else 1 + settings.samples
    with meter(f"{contender.name} ({contender.mode}), {suite}", len(asked) * each) as bar:
        if has_cases(suite):
            return await tell(
                teacher, asked, contender=contender, settings=settings, advance=bar.advance
            )
        suited = SUITES[suite]
        return await ask(
            teacher, asked, suite=suited, mode=contender.mode, settings=settings, advance=bar.advance
        )  # fmt: skip


def told(settings: EvaluateSettings) -> dict[str, Any]:
    """The settings that decide the numbers."""
    unstated = {"out", "data_root", "concurrency", "engine", "workers"}
    unstated |= {"students", "base", "teacher", "suite"}
    return {name: value for name, value in asdict(settings).items() if name not in unstated}


def write(report: Mapping[str, Any], asked: Asked, found: Found, folder: Path) -> None:
    (folder / "report.json").write_text(
        json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for suite, answers in found.items():
            for contender, answered in answers.items():
                who = {"suite": suite, "model": contender.name, "mode": contender.mode}
                for question, answer in zip(asked[suite], answered, strict=True):
                    case = asdict(question) if isinstance(question, Case) else {}
                    file.write(json.dumps({**who, **case, **asdict(answer)}) + "\n")
    if report["suites"]:
        draw(report, folder / "report.png")
    curves = [part for part in report["in_context"] if "slope" in part]
    if curves:
        draw_shots(curves, folder / "in_context.png")
