"""The settings of `train evaluate`: which models, which suites, how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datagen.errors import UserError
from datagen.teacher import TeacherSpec, check_workers
from datagen.teacher.chat_options import ChatOptions

MODES = ("rationale", "direct")
"""A model is asked to reason first, or to give only the answer."""


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """Ask base, students and teacher the same questions, and report accuracy and the gap closed."""

    out: Path
    """Folder for report.json, answers.jsonl and the figures, report.png and in_context.png."""
    students: tuple[str, ...] = ()
    """NAME=SPEC or NAME=SPEC:MODE for each student, such as rationales=hf:students/a or
    answers=hf:students/b:direct. MODE is rationale by default."""
    base: str | None = None
    """What the students were trained from, hf:NAME_OR_PATH. It is asked in both modes."""
    teacher: str | None = None
    """micro, hf:NAME_OR_PATH or openai:MODEL, with or without :MODE."""
    suite: tuple[str, ...] = ("microworld",)
    """Suites to measure on, by name. in-context measures accuracy by the number of demonstrations
    (in-context/category,shift: only these rule families). episodes:NAME@VERSION asks the rows of a
    demonstrations version."""
    split: str = "test"
    """The suites' split."""
    limit: int | None = None
    """Questions of each suite; by default all. For in-context, queries of each rule family; by
    default 40."""
    demonstration_seeds: int = 5
    """How often the demonstrations of in-context are drawn; the report has the mean and the worst
    draw."""
    data_root: Path | None = None
    """Folder with the suites' published files. Without it they come from the Hub."""
    samples: int = 8
    """Samples of each question for the majority answer; 0 leaves the majority out."""
    temperature: float = 0.7
    """Temperature of these samples."""
    max_tokens: int = 256
    """Longest answer, in tokens."""
    prompt_style: str = "chat"
    """chat, or plain for models without a chat template."""
    thinking: bool | None = None
    """Whether models that can reason do so before they answer. Default: as the chat template of
    each decides. The reasoning counts towards --max_tokens, and no answer is read from it."""
    chat_template_kwargs: dict[str, Any] | str | None = None
    """Variables of the chat templates, as JSON, such as '{"enable_thinking": false}'."""
    concurrency: int = 64
    """Requests in flight at an endpoint."""
    resamples: int = 2000
    """Bootstrap resamples of the questions for the 95% intervals, at least 1,000."""
    engine: Literal["local", "ray"] = "local"
    """Where the models answer: in this process, or on the workers of a Ray cluster."""
    workers: int | None = None
    """Workers of each model with ray. By default as many as the cluster's GPUs hold, or one a
    machine."""
    seed: int = 0
    """Seed of generated questions, of the sampling and of the bootstrap."""

    def __post_init__(self) -> None:
        least = {
            "demonstration_seeds": 1,
            "samples": 0,
            "temperature": 0,
            "max_tokens": 1,
            "concurrency": 1,
            "resamples": 1000,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UserError(f"--{name} {getattr(self, name)}: at least {low}")

        if self.limit is not None and self.limit < 1:
            raise UserError(f"--limit {self.limit}: at least 1")
        if self.prompt_style not in ("chat", "plain"):
            raise UserError(f"--prompt_style {self.prompt_style}: chat or plain")
        ChatOptions.of(self.thinking, self.chat_template_kwargs)
        check_workers(self.workers)
        if not self.suite:
            raise UserError("--suite: name at least one")


@dataclass(frozen=True)
class Contender:
    """One model asked in one mode."""

    name: str
    role: str
    """base, student or teacher."""
    spec: str
    """As `datagen.teacher.connect` takes it."""
    mode: str


def contenders(settings: EvaluateSettings) -> list[Contender]:
    """Return the base (in both modes), the students and the teacher, in this order.

    Raises:
        UserError: a student has no name or no model, or there is nobody to ask.
    """
    found = [Contender("base", "base", settings.base, mode) for mode in MODES if settings.base]
    for student in settings.students:
        name, equals, spec = student.partition("=")
        if not (name and equals and spec):
            raise UserError(
                f"--students {student}: write NAME=SPEC, such as rationales=hf:students/rationales"
            )
        found.append(Contender(name, "student", *split_mode(spec)))

    if settings.teacher:
        found.append(Contender("teacher", "teacher", *split_mode(settings.teacher)))
    check_names([c.name for c in found if c.role == "student"])
    if not found:
        raise UserError("nothing to measure: give --students, --base or --teacher")
    # all of them now, because a later model may be opened only after hours
    for contender in found:
        check_spec(contender.spec)
    return found


def split_mode(spec: str) -> tuple[str, str]:
    """Return `hf:PATH:direct` as (`hf:PATH`, `direct`)."""
    # names and paths may contain colons: only a known mode is split off
    head, _, tail = spec.rpartition(":")
    return (head, tail) if head and tail in MODES else (spec, MODES[0])


def check_names(names: Sequence[str]) -> None:
    """Raise UserError for a student's name that is reserved or given twice."""
    for name in names:
        if name in ("base", "teacher") or names.count(name) > 1:
            raise UserError(f"--students {name}=...: the name is taken, choose another")


def check_spec(spec: str) -> None:
    """Raise UserError for an unknown engine or a missing folder."""
    # before the first model is opened: the last one may be reached only after hours
    TeacherSpec.parse(spec).check_folder()
