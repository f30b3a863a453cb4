"""The results of an evaluation: `report.json` of `train evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.records.serialise import check_format, from_json, optional

FORMAT = 1


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval.

    Example:
        >>> Estimate(0.62, 0.56, 0.68).low
        0.56
    """

    value: float
    low: float
    high: float

    @classmethod
    def read(cls, found: Mapping[str, float] | None) -> Estimate | None:
        """Return the estimate that a report holds, or None."""
        return None if found is None else cls(found["value"], found["low"], found["high"])


@dataclass(frozen=True)
class Measure(Estimate):
    """A value with its interval, over `n` questions."""

    n: int


@dataclass(frozen=True)
class ShotsAccuracy(Estimate):
    """The accuracy at one number of demonstrations: the mean over the draws of demonstrations."""

    worst: float
    """The accuracy of the worst draw."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """How the intervals of a report are made."""

    level: float
    method: str


@dataclass(frozen=True, kw_only=True)
class ReportModel:
    """A model in one mode. A model that was evaluated in two modes has two of these."""

    name: str
    role: str
    """base, student or teacher."""
    spec: str
    """The model as the command named it."""
    mode: str
    """rationale or direct."""
    prompt_style: str | None = optional()
    """chat or plain. None in reports of version 0.1, which have it in their settings."""
    identity: str
    """The spec with a hash of the weights, or with endpoint or revision."""


@dataclass(frozen=True, kw_only=True)
class Unscored:
    """Gold answers without a log-probability."""

    answers: int
    reason: str
    """The most common one."""


@dataclass(frozen=True, kw_only=True)
class SuiteModel:
    """The figures of one model, in one mode, on one suite."""

    name: str
    role: str
    mode: str
    greedy_accuracy: Measure | None
    majority_accuracy: Measure | None
    """Of the most common answer of the samples; None without samples."""
    gold_logprob: Measure | None
    """Of the gold answer, in nats per token."""
    edit_distance: Measure | None
    """Between answer and gold: 0 is the same, 1 is wholly different."""
    agreement: float | None
    """The mean share of a question's samples that give its most common answer."""
    unscored: Unscored | None
    unanswered: int
    """Questions whose greedy text states no answer."""
    failed: int
    """Questions that could not be asked."""
    gap_closed: Estimate | None
    """(student - base) / (teacher - base); None where the teacher does not clearly beat the
    base."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The difference of two models, paired by question: a - b."""

    a: str
    b: str
    family: str | None = optional()
    """A rule family of the suite `in-context`, or "all"."""
    difference: Estimate
    clear: bool
    """Whether the interval leaves 0 out."""


@dataclass(frozen=True, kw_only=True)
class SuiteSection:
    """One suite of questions."""

    suite: str
    n: int
    """Questions."""
    base_mode: str | None
    """The mode in which the base is better, and counts."""
    teacher_minus_base: Estimate | None
    models: tuple[SuiteModel, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The accuracy of a model over the number of demonstrations."""

    n: int
    """Queries."""
    accuracy: Mapping[str, ShotsAccuracy]
    """By the number of demonstrations."""
    slope: Estimate


@dataclass(frozen=True, kw_only=True)
class InContextModel:
    """The figures of one model on queries after demonstrations."""

    name: str
    role: str
    families: Mapping[str, Curve] | None = optional()
    """By rule family, and "all". Of the suite `in-context` alone."""
    accuracy: Estimate | None = optional()
    """Over all rows. This and the next two are of the suites `episodes:NAME@VERSION` alone."""
    by_task: Mapping[str, Measure] | None = optional()
    by_k: Mapping[str, Measure] | None = optional()
    """By the number of demonstrations."""


@dataclass(frozen=True, kw_only=True)
class InContextSection:
    """One suite of queries after demonstrations."""

    suite: str
    n: int
    """Queries."""
    shots: tuple[int, ...]
    """The numbers of demonstrations."""
    demonstration_seeds: int
    """How often the demonstrations were drawn."""
    failed: Mapping[str, int]
    """Cases that could not be asked, by model."""
    slope: str | None = optional()
    """What a slope is, in words. Of the suite `in-context` alone."""
    models: tuple[InContextModel, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class ReportRecord:
    """All figures of an evaluation, and the settings that decide them.

    Example:
        >>> report = ReportRecord.read(
        ...     {"format": 1, "code_version": "0.1.0", "settings": {"split": "test"},
        ...      "interval": {"level": 0.95, "method": "bootstrap"}, "models": [], "suites": [],
        ...      "in_context": []}, "report.json")
        >>> report.interval.level
        0.95
    """

    format: int = FORMAT
    code_version: str
    settings: Mapping[str, Any]
    interval: Interval
    models: tuple[ReportModel, ...]
    suites: tuple[SuiteSection, ...]
    in_context: tuple[InContextSection, ...]

    @classmethod
    def read(cls, data: Any, where: str) -> ReportRecord:
        """Return the report in a JSON object.

        Raises:
            UserError: the object is damaged, or has an unknown format.
        """
        check_format(data, (FORMAT,), where)
        return from_json(cls, data, where)
