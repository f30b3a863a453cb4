"""Types of the public API of train. Made by `python -m tests.stubs`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from datagen.api.run import Run as Run
from datagen.records.report import Estimate as Estimate
from train.api.report import Report as Report
from train.api.student import Student as Student
from train.api.student import open_student as open_student
from train.api.training import fit_gkd as fit_gkd
from train.api.training import fit_kd as fit_kd
from train.api.training import fit_sft as fit_sft
from train.push import Pushed as Pushed

__all__: list[str]

def evaluate_models(
    *,
    base: str | Path | Student | None = None,
    students: Mapping[str, str | Path | Student] | None = None,
    teacher: str | Path | Student | None = None,
    suites: Sequence[str] = ("microworld",),
    out: str | Path | None = None,
    split: str = "test",
    limit: int | None = None,
    demonstration_seeds: int = 5,
    data_root: str | Path | None = None,
    samples: int = 8,
    temperature: float = 0.7,
    max_tokens: int = 256,
    prompt_style: str = "auto",
    thinking: bool | None = None,
    chat_template_kwargs: dict[str, Any] | str | None = None,
    concurrency: int = 64,
    resamples: int = 2000,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    seed: int = 0,
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
        split: The suites' split.
        limit: Questions of each suite; by default all. For in-context, queries of each rule
            family; by default 40.
        demonstration_seeds: How often the demonstrations of in-context are drawn; the
            report has the mean and the worst draw.
        data_root: Folder with the suites' published files. Without it they come from the
            Hub.
        samples: Samples of each question for the majority answer; 0 leaves the majority
            out.
        temperature: Temperature of these samples.
        max_tokens: Longest answer, in tokens.
        prompt_style: auto, chat or plain (text of the form "Q: ... A:"), for all models.
            auto asks each model in its own way: plain if it is here and has no chat
            template, else chat.
        thinking: Whether models that can reason do so before they answer. Default: as the
            chat template of each decides. The reasoning counts towards --max_tokens, and no
            answer is read from it.
        chat_template_kwargs: Variables of the chat templates, as JSON, such as
            '{"enable_thinking": false}'.
        concurrency: Requests in flight at an endpoint.
        resamples: Bootstrap resamples of the questions for the 95% intervals, at least
            1,000.
        engine: Where the models answer: in this process, or on the workers of a Ray
            cluster.
        workers: Workers of each model with ray. By default as many as the cluster's GPUs
            hold, or one a machine.
        seed: Seed of generated questions, of the sampling and of the bootstrap.


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

def probe_student(
    student: str | Path | Student,
    source: Path | Any,
    *,
    out: str | Path | None = None,
    max_tokens: int = 512,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    family: str | None = None,
    store: str | Path | None = None,
) -> Run:
    """Ask a student the prompts of a version: how likely it finds each row, and is it right?

    Args:
        student: The student's folder, or hf:NAME_OR_PATH, or any other engine that can
            score.
        source: A version: NAME@1.0.0, NAME for its newest, or its folder; or a finished
            run's folder.
        out: The folder of the new run. Default: runs/SOURCE-probe. The same command again
            resumes it.
        max_tokens: Longest answer, in tokens.
        engine: Where the student answers: in this process, or on the workers of a Ray
            cluster.
        workers: Number of copies of the student with ray. By default as many as the
            cluster's GPUs hold, or one on each machine.
        family: Which rows, where the version holds several families: rationales,
            instructions or demonstrations.
        store: Folder that holds the versions; default $EMERGENT_STORE, else ./datasets.

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

def push_student(
    student: Path | Student,
    name: str,
    *,
    report: Path | Report | None = None,
    public: bool = False,
) -> Pushed:
    """Put a student on the Hub: weights, tokenizer, card and lineage in one commit.

    Args:
        student: the student, or its folder.
        name: ORG/NAME of the model on the Hub.
        report: a report that measured this student. Its figures go into card and lineage.
        public: Make the repository public. By default it is private.


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
