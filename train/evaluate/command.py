"""`train evaluate`: ask base, students and teacher the same held-out questions, and report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from datagen import __version__
from datagen.errors import UserError
from datagen.progress import meter
from datagen.run.folder import make_folder
from datagen.running import run_coroutine
from datagen.suites import SUITES, Question, load
from datagen.teacher import Teacher, connect
from datagen.teacher.journal import JournaledTeacher
from train.evaluate.ask import ask
from train.evaluate.bootstrap import LEVEL, Bootstrap
from train.evaluate.cases import Case, answer_cases, has_cases, read_cases
from train.evaluate.contenders import Contender, contenders
from train.evaluate.figures import draw_accuracy, draw_curves
from train.evaluate.section import section
from train.evaluate.settings import EvaluateSettings
from train.evaluate.shots import shots_section
from train.evaluate.tables import print_report

Asked = Mapping[str, Sequence[Question | Case]]
"""The questions or cases by suite, in order."""
Found = dict[str, dict[Contender, list[Any]]]
"""The answers in that order, by suite and contender: `Answered`, or `CaseAnswer` where the suite
has cases."""
REPORT = "report.json"
ANSWERS = "answers.jsonl"
ACCURACY_FIGURE = "report.png"
CURVES_FIGURE = "in_context.png"
UNSTATED = (
    *("out", "data_root", "concurrency", "engine", "workers"),
    *("students", "base", "teacher", "suite"),
)
"""Settings that do not change the figures, or that the report has elsewhere."""
IF_SET = ("thinking", "chat_template_kwargs")
"""Settings that the report has only if they are set."""


def run(settings: EvaluateSettings) -> None:
    """Measure the models and print the tables.

    Raises:
        UserError: a model, a suite or a setting cannot be used.
    """
    print_report(evaluate(settings))
    print(f"written to {settings.out}: {REPORT}, {ANSWERS} and the figures")


def evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Measure the models, and write report.json, answers.jsonl and the figures into `out`.

    Returns:
        The report, as report.json has it.

    Raises:
        UserError: a model, a suite or a setting cannot be used.
    """
    models = contenders(settings)
    # everything is read before the first model is opened: a wrong name is reported at once
    asked: Asked = {
        suite: read_cases(suite, settings) if has_cases(suite) else read_questions(suite, settings)
        for suite in settings.suite
    }
    # only now, so that wrong input leaves no folder behind
    make_folder(settings.out)
    found, identities = run_coroutine(ask_all(models, asked, settings))

    for line in unfinished_reasoning(found):
        print(line, file=sys.stderr)
    report = report_of(asked, found, identities, settings)
    write(report, asked, found, settings.out)
    return report


def report_of(
    asked: Asked, found: Found, identities: list[dict[str, str]], settings: EvaluateSettings
) -> dict[str, Any]:
    """Return the report with the figures of all suites."""
    bootstrap = Bootstrap(settings.resamples, settings.seed)
    questions = {suite: answers for suite, answers in found.items() if not has_cases(suite)}
    cases = {suite: answers for suite, answers in found.items() if has_cases(suite)}
    return {
        "format": 1,
        "code_version": __version__,
        "settings": recorded_settings(settings),
        "interval": {
            "level": LEVEL,
            "method": "percentile bootstrap over questions, paired between models",
        },
        "models": identities,
        "suites": [section(suite, answers, bootstrap) for suite, answers in questions.items()],
        "in_context": [
            shots_section(suite, asked[suite], answers, bootstrap)  # type: ignore[arg-type]
            for suite, answers in cases.items()
        ],
    }


def read_questions(suite: str, settings: EvaluateSettings) -> list[Question]:
    """Return the suite's questions that have a gold answer.

    Raises:
        UserError: no question has one.
    """
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
    """Ask every contender every suite.

    One model is open at a time, once for all its modes.

    Returns:
        The answers, and what each model is.
    """
    found: Found = {suite: {} for suite in asked}
    identities = []
    # one model at a time: two models may not fit into the memory of one machine
    for spec in dict.fromkeys(contender.spec for contender in models):
        teacher = connect(
            spec,
            engine=settings.engine,
            workers=settings.workers,
            concurrency=settings.concurrency,
            thinking=settings.thinking,
            chat_template_kwargs=settings.chat_template_kwargs,
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
    """Return each model once: cases have fixed prompts, so they have no mode."""
    return list(dict.fromkeys(replace(contender, mode="direct") for contender in models))


def in_order(
    answers: Mapping[Contender, list[Any]], models: Sequence[Contender]
) -> dict[Contender, list[Any]]:
    """Return the answers in the order in which the models were given."""
    names = [contender.name for contender in models]
    return dict(sorted(answers.items(), key=lambda item: names.index(item[0].name)))


async def ask_suite(
    teacher: Teacher,
    contender: Contender,
    suite: str,
    asked: Sequence[Any],
    settings: EvaluateSettings,
) -> list[Any]:
    """Return one contender's answers to one suite, with a progress bar."""
    label = f"{contender.name} ({contender.mode}), {suite}"
    if has_cases(suite):
        with meter(label, len(asked)) as bar:
            return await answer_cases(
                teacher, asked, contender=contender, settings=settings, advance=bar.advance
            )
    with meter(label, len(asked) * (1 + settings.samples)) as bar:
        return await ask(
            teacher,
            asked,
            suite=SUITES[suite],
            contender=contender,
            settings=settings,
            advance=bar.advance,
        )


def recorded_settings(settings: EvaluateSettings) -> dict[str, Any]:
    """Return the settings that decide the figures."""
    stated = {name: value for name, value in asdict(settings).items() if name not in UNSTATED}
    return {
        name: value for name, value in stated.items() if name not in IF_SET or value is not None
    }


def write(report: Mapping[str, Any], asked: Asked, found: Found, folder: Path) -> None:
    """Write the report, every answer, and the figures."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    (folder / REPORT).write_text(text, encoding="utf-8")
    write_answers(asked, found, folder / ANSWERS)
    if report["suites"]:
        draw_accuracy(report, folder / ACCURACY_FIGURE)
    # rows of a demonstrations version have no curve
    curves = [part for part in report["in_context"] if "slope" in part]
    if curves:
        draw_curves(curves, folder / CURVES_FIGURE)


def write_answers(asked: Asked, found: Found, path: Path) -> None:
    """Write a line of JSON for each answer."""
    with path.open("w", encoding="utf-8") as file:
        for suite, answers in found.items():
            for contender, answered in answers.items():
                who = {"suite": suite, "model": contender.name, "mode": contender.mode}
                for question, answer in zip(asked[suite], answered, strict=True):
                    # a question is found in its suite by its id, but a case is in no published file
                    case = asdict(question) if isinstance(question, Case) else {}
                    file.write(json.dumps({**who, **case, **recorded_answer(answer)}) + "\n")


def unfinished_reasoning(found: Found) -> list[str]:
    """Return a line for each model whose greedy answers are missing after its reasoning."""
    lines = []
    for suite, answers in found.items():
        for contender, answered in answers.items():
            missing = sum(bool(each.reasoning and not each.text.strip()) for each in answered)
            if missing:
                lines.append(
                    f"{contender.name} ({contender.mode}), {suite}: {missing} of {len(answered)} "
                    "answers are reasoning alone; give a larger --max_tokens or --thinking false"
                )
    return lines


def recorded_answer(answer: Any) -> dict[str, Any]:
    """Return an answer as it is written. Only models that reason have the key `reasoning`."""
    values = asdict(answer)
    return values if values["reasoning"] else {k: v for k, v in values.items() if k != "reasoning"}
