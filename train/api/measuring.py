"""`train evaluate`, `train probe` and `train push` as functions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datagen.api.run import Run
from datagen.api.settings import settings_from, takes
from train.api.report import Report
from train.api.student import Student, path_of, spec_of
from train.evaluate.settings import EvaluateSettings
from train.probe import ProbeSettings, probe
from train.push import Pushed, PushSettings, push

Model = str | Path | Student
"""A spec such as `hf:NAME`, a folder, or a Student."""


@takes(EvaluateSettings, "suite")
def evaluate_models(
    *,
    base: Model | None = None,
    students: Mapping[str, Model] | None = None,
    teacher: Model | None = None,
    suites: Sequence[str] = ("microworld",),
    out: str | Path | None = None,
    **flags: Any,
) -> Report:
    """Ask base, students and teacher the same held-out questions.

    Args:
        base: what the students were trained from. It is asked in both modes.
        students: by name. A text may end in a mode, such as `hf:students/b:direct`, and in
            `:plain` for a prompt without a chat template.
        teacher: the model whose ability the students were to learn.
        suites: what to measure on.
        out: folder for the report, the answers and the figures. The same call again resumes it.
            Default: a temporary folder, which lasts as long as the report.

    Returns:
        The report.

    Raises:
        UserError: a model, a suite or a setting cannot be used.

    Example:
        >>> import train
        >>> report = train.evaluate_models(
        ...     base=base, students={"a": folder / "first"}, limit=2, samples=0, max_tokens=8,
        ... )
        >>> report.suites
        ['microworld']
    """
    from train.evaluate.command import evaluate

    # kept by the report: the folder goes when nobody can ask for its files any more
    scratch = None if out else tempfile.TemporaryDirectory(prefix="report-")
    folder = Path(out or scratch.name)  # type: ignore[union-attr]
    named = {"base": base and spec_of(base), "teacher": teacher and spec_of(teacher)}
    pairs = [f"{name}={spec_of(student)}" for name, student in (students or {}).items()]
    settings = settings_from(
        EvaluateSettings,
        {**flags, **named, "students": pairs, "suite": tuple(suites), "out": folder},
    )
    return Report(evaluate(settings), folder, scratch)


@takes(ProbeSettings)
def probe_student(student: Model, source: str | Path | Any, **flags: Any) -> Run:
    """Ask a student the prompts of a version: how likely it finds each row, and is it right?

    Returns:
        A run with the same rows and the columns `student_logprob` and `student_correct`. Its
        `publish` makes the next version.

    Raises:
        UserError: a setting, the student or the version cannot be used.

    Example:
        >>> import train
        >>> run = train.probe_student(folder / "first", version, max_tokens=4, out=folder / "probe")
        >>> "student_correct" in run.dataset("rationales").column_names
        True
    """
    named = {"student": path_of(student), "source": path_of(source)}
    found = probe(settings_from(ProbeSettings, {**flags, **named}))
    return Run(found.out, found.summary)


@takes(PushSettings)
def push_student(
    student: str | Path | Student,
    name: str,
    *,
    report: str | Path | Report | None = None,
    **flags: Any,
) -> Pushed:
    """Put a student on the Hub: weights, tokenizer, card and lineage in one commit.

    Args:
        student: the student, or its folder.
        name: ORG/NAME of the model on the Hub.
        report: a report that measured this student. Its figures go into card and lineage.

    Returns:
        Name and commit.

    Raises:
        UserError: there is no finished student, the report measured another, or the Hub refuses.

    Example:
        >>> import train
        >>> train.push_student(folder / "nothing", "org/student")
        Traceback (most recent call last):
        ...
        datagen.errors.UserError: no student folder ...
    """
    measured = report.folder / "report.json" if isinstance(report, Report) else report
    named = {"student": path_of(student), "name": name, "report": measured}
    return push(settings_from(PushSettings, {**flags, **named}))
