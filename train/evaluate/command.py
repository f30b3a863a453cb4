"""`train evaluate`: ask base, students and teacher the same held-out questions, and report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.errors import UserError
from datagen.progress import meter
from datagen.suites import SUITES, Question, load
from datagen.teacher import Teacher, connect
from datagen.teacher.journal import JournaledTeacher
from train.evaluate.ask import Answered, ask
from train.evaluate.bootstrap import LEVEL, Bootstrap
from train.evaluate.report import section
from train.evaluate.settings import Contender, EvaluateSettings, contenders
from train.evaluate.show import draw, print_report

Found = dict[str, dict[Contender, list[Answered]]]
"""Suite: contender: its answers."""


def run(settings: EvaluateSettings) -> None:
    """The command: measure, and print the tables. Raises UserError."""
    print_report(evaluate(settings))
    print(f"written to {settings.out}: report.json, answers.jsonl, report.png")


def evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Measure, and write report.json, answers.jsonl and report.png. Returns the report. Raises UserError."""
    asked = contenders(settings)
    questions = {suite: read_questions(suite, settings) for suite in settings.suite}
    settings.out.mkdir(parents=True, exist_ok=True)
    found, identities = asyncio.run(ask_all(asked, questions, settings))
    bootstrap = Bootstrap(settings.resamples, settings.seed)
    report = {
        "format": 1,
        "code_version": __version__,
        "settings": told(settings),
        "interval": {"level": LEVEL, "method": "percentile bootstrap over questions, paired between models"},
        "models": identities,
        "suites": [section(suite, answers, bootstrap) for suite, answers in found.items()],
    }
    write(report, found, settings.out)
    return report


def read_questions(suite: str, settings: EvaluateSettings) -> list[Question]:
    """The suite's questions that have a gold answer. Raises UserError where there is none."""
    found = load(suite, settings.split, data_root=settings.data_root, limit=settings.limit, seed=settings.seed)
    questions = [question for question in found if question.gold]
    if not questions:
        raise UserError(f"suite {suite}, split {settings.split}: no question with a gold answer")
    return questions


async def ask_all(
    asked: Sequence[Contender], questions: Mapping[str, list[Question]], settings: EvaluateSettings
) -> tuple[Found, list[dict[str, str]]]:
    """Every contender's answers per suite, and what each model is. One model is open at a time, once for all its
    modes."""
    found: Found = {suite: {} for suite in questions}
    identities = []
    for spec in dict.fromkeys(contender.spec for contender in asked):
        teacher = connect(spec, concurrency=settings.concurrency)
        await teacher.check()
        journaled = JournaledTeacher(teacher, settings.out / "journal.sqlite")
        same = [contender for contender in asked if contender.spec == spec]
        identities += [{**asdict(contender), "identity": journaled.identity} for contender in same]
        try:
            for contender in same:
                for suite in questions:
                    found[suite][contender] = await ask_suite(journaled, contender, suite, questions[suite], settings)
        finally:
            await journaled.close()
    return {suite: {c: answers[c] for c in asked} for suite, answers in found.items()}, identities


async def ask_suite(
    teacher: Teacher, contender: Contender, suite: str, questions: list[Question], settings: EvaluateSettings
) -> list[Answered]:
    with meter(f"{contender.name} ({contender.mode}), {suite}", len(questions) * (1 + settings.samples)) as bar:

        def advance(answers: int) -> None:
            bar.done += answers - 1
            bar.advance()

        return await ask(
            teacher, questions, suite=SUITES[suite], mode=contender.mode, settings=settings, advance=advance
        )


def told(settings: EvaluateSettings) -> dict[str, Any]:
    """The settings that decide the numbers."""
    unstated = {"out", "data_root", "concurrency", "students", "base", "teacher", "suite"}
    return {name: value for name, value in asdict(settings).items() if name not in unstated}


def write(report: Mapping[str, Any], found: Found, folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for suite, answers in found.items():
            for contender, answered in answers.items():
                who = {"suite": suite, "model": contender.name, "mode": contender.mode}
                file.writelines(json.dumps({**who, **asdict(answer)}) + "\n" for answer in answered)
    draw(report, folder / "report.png")
