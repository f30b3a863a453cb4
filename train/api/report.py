"""A report of `evaluate_models` as an object."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.records.report import Estimate, ReportRecord

FILES = ("report.json", "answers.jsonl", "report.png", "in_context.png")
"""What `save` copies, where there is such a file."""


@dataclass(frozen=True)
class Report:
    """What an evaluation measured: accuracies with intervals, and the gap that students closed.

    Example:
        >>> import train
        >>> report = train.evaluate_models(
        ...     students={"a": folder / "first"}, suites=["microworld"], limit=2, samples=0,
        ...     max_tokens=8,
        ... )
        >>> report.accuracy("a", "microworld").value
        0.0
        >>> report.gap_closed("a", "microworld") is None  # there is no base and no teacher
        True
        >>> report.save(folder / "report").name
        'report'
    """

    data: Mapping[str, Any] = field(repr=False)
    """All figures, as report.json has them."""
    folder: Path
    """Where report, answers and figures lie; a temporary folder if none was named."""
    scratch: Any = field(default=None, repr=False, compare=False)
    """Keeps a temporary folder alive as long as the report."""

    @property
    def record(self) -> ReportRecord:
        """All figures as typed records."""
        return ReportRecord.read(self.data, "report.json")

    @property
    def suites(self) -> list[str]:
        """The names of the suites."""
        return [section["suite"] for section in self.sections]

    @property
    def sections(self) -> list[Mapping[str, Any]]:
        """The parts of `data` that are about one suite."""
        return [*self.data["suites"], *self.data["in_context"]]

    def accuracy(
        self, name: str, suite: str, *, mode: str | None = None, k: int | None = None
    ) -> Estimate | None:
        """Return the accuracy of a model's greedy answers.

        Args:
            name: a student's name, "base" or "teacher".
            suite: the name of the suite.
            mode: rationale or direct. Default: the mode that counts; for the base the better one.
            k: the number of demonstrations, on a suite of the kind `in-context`.

        Returns:
            The accuracy with its interval; None where the suite measures it by k only.

        Raises:
            UserError: the report has no such model or suite.
        """
        model = self.model(name, suite, mode=mode)
        if k is not None:
            return Estimate.read(self.by_k(model).get(str(k)))
        # questions have `greedy_accuracy`, rows of a demonstrations version have `accuracy`
        return Estimate.read(model.get("greedy_accuracy") or model.get("accuracy"))

    def gap_closed(self, name: str, suite: str) -> Estimate | None:
        """Return how much of the gap between base and teacher a student closed.

        0 is the base, 1 is the teacher.

        Args:
            name: the student's name.
            suite: the name of the suite.

        Returns:
            (student - base) / (teacher - base) with its interval; None where the teacher does not
            clearly beat the base.

        Raises:
            UserError: the report has no such student or suite.
        """
        return Estimate.read(self.model(name, suite).get("gap_closed"))

    def slope(self, name: str, suite: str, *, family: str = "all") -> Estimate | None:
        """Return the slope of accuracy over log2(k + 1), where k is the number of demonstrations.

        Args:
            name: a student's name, "base" or "teacher".
            suite: a suite of the kind `in-context`.
            family: a rule family. Default: all of them.

        Raises:
            UserError: the report has no such model or suite.
        """
        found = self.model(name, suite).get("families", {}).get(family)
        return Estimate.read(found and found["slope"])

    def table(self) -> str:
        """Return the tables that the command prints."""
        from train.evaluate.tables import report_text

        return report_text(self.data)

    def save(self, path: str | Path) -> Path:
        """Copy report.json, answers.jsonl and the figures into a folder, and return it."""
        target = Path(path)
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            source = self.folder / name
            # the target may be the report's own folder, and a file cannot be copied onto itself
            if source.exists() and not same_file(source, target / name):
                shutil.copyfile(source, target / name)
        return target

    def model(self, name: str, suite: str, *, mode: str | None = None) -> Mapping[str, Any]:
        """Return what `data` says of a model on a suite.

        Raises:
            UserError: the report has no such model or suite.
        """
        section = next((found for found in self.sections if found["suite"] == suite), None)
        if section is None:
            raise UserError(
                f"no suite {suite!r} in this report: there are {', '.join(self.suites)}"
            )
        models: list[Mapping[str, Any]] = section["models"]
        # the base is asked in both modes, and the section states which one counts
        wanted = mode or (section.get("base_mode") if name == "base" else None)
        for model in models:
            if model["name"] == name and wanted in (None, model.get("mode")):
                return model
        names = ", ".join(dict.fromkeys(model["name"] for model in models))
        asked = f"{name!r} in mode {wanted}" if wanted else repr(name)
        raise UserError(f"no model {asked} on {suite}: there are {names}")

    @staticmethod
    def by_k(model: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the accuracies of a model by the number of demonstrations."""
        # `in-context` measures by family and k, a demonstrations version by k alone
        families = model.get("families")
        found: Mapping[str, Any] = (
            families["all"]["accuracy"] if families else model.get("by_k", {})
        )
        return found


def same_file(source: Path, target: Path) -> bool:
    """Return whether both paths lead to the same file, which then needs no copy."""
    return target.exists() and source.samefile(target)
