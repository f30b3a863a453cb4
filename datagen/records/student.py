"""The lineage of a student: `lineage.json` in the folder of a student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.records.report import Estimate, Measure
from datagen.records.serialise import check_format, from_json, optional, rest

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class ModelRetention:
    """The figures of a student, or of a model that it is compared with, on one suite."""

    role: str
    """student, base or teacher."""
    mode: str | None = optional()
    """rationale or direct."""
    greedy_accuracy: Measure | None = optional()
    majority_accuracy: Measure | None = optional()
    gap_closed: Estimate | None = optional()


@dataclass(frozen=True, kw_only=True)
class SuiteRetention:
    """What a student kept of its teacher on one suite."""

    suite: str
    n: int
    """Questions."""
    models: tuple[ModelRetention, ...]


@dataclass(frozen=True, kw_only=True)
class StudentLineage:
    """Base, dataset versions and settings of a training, and its result.

    Example:
        >>> lineage = StudentLineage.read(
        ...     {"format": 1, "method": "sft", "code_version": "0.1.0", "base": {"name": "b"},
        ...      "dataset": {"name": "sums", "version": "1.0.0"}, "settings": {"seed": 42},
        ...      "result": {"steps": 60}}, "lineage.json")
        >>> lineage.steps, lineage.dataset["name"]
        (60, 'sums')
    """

    format: int = FORMAT
    method: str
    """sft, kd or gkd."""
    code_version: str
    base: Mapping[str, Any]
    """Name, and fingerprint or revision, of the model that it was trained from."""
    dataset: Mapping[str, Any]
    """Name, version, config, rows and hash; of a mixture also its parts."""
    settings: Mapping[str, Any]
    """The settings that decide the weights."""
    teacher: Mapping[str, Any] | None = optional()
    """Of `train gkd`: name, and fingerprint or revision, of the model that scored the tokens."""
    losses: Mapping[str, str] | None = optional()
    """The sentence of the card for each loss, by its flag."""
    more: Mapping[str, Any] = rest()
    """What later releases say before the end of a training."""
    result: Mapping[str, Any] | None = optional()
    """Set when the training has ended."""
    retention: tuple[SuiteRetention, ...] | None = optional()
    """What a report measured of the student. `train push` puts it in."""

    @classmethod
    def read(cls, data: Any, where: str) -> StudentLineage:
        """Return the lineage in a JSON object.

        Raises:
            UserError: the object is damaged, or has an unknown format.
        """
        check_format(data, (FORMAT,), where)
        return from_json(cls, data, where)

    @property
    def steps(self) -> int | None:
        """Optimizer steps; None while the training has not ended."""
        return None if self.result is None else int(self.result["steps"])
