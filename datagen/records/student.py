"""What a student is made from: `lineage.json` in the folder of a student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datagen.errors import UserError
from datagen.records.serialise import from_json, optional, rest

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class StudentLineage:
    """Base, dataset versions and settings of a training, and how it ended.

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
    more: Mapping[str, Any] = rest()
    result: Mapping[str, Any] | None = optional()
    """Set when the training has ended."""

    @classmethod
    def read(cls, data: Any, where: str) -> StudentLineage:
        """The lineage in a JSON object. Raises UserError for a damaged or unknown one."""
        if isinstance(data, dict) and data.get("format") != FORMAT:
            raise UserError(f"{where} has format {data.get('format')}: this release reads {FORMAT}")
        return from_json(cls, data, where)

    @property
    def steps(self) -> int | None:
        """Optimizer steps; None while the training has not ended."""
        return None if self.result is None else int(self.result["steps"])
