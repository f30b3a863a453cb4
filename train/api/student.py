"""A trained student as an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.records.student import StudentLineage
from datagen.teacher import TeacherSpec
from train.trainers.checkpoints import LINEAGE, is_finished, read_lineage


@dataclass(frozen=True)
class Student:
    """A finished student: what `fit_sft`, `fit_kd` and `fit_gkd` return.

    Example:
        >>> import train
        >>> student = train.fit_sft(base, data=version, output_dir=folder / "first", max_steps=1)
        {'train_runtime': ...
        >>> student.steps
        1
        >>> student.spec == f"hf:{folder / 'first'}"
        True
    """

    path: Path
    """The folder with weights, tokenizer, card and lineage."""
    lineage: StudentLineage = field(repr=False)
    """What the student is made from: base, data, settings, teacher."""

    @property
    def spec(self) -> str:
        """The student as `datagen.connect` and `evaluate_models` take it."""
        return f"hf:{self.path}"

    @property
    def steps(self) -> int:
        """How many optimizer steps it was trained."""
        return self.lineage.steps or 0

    @property
    def base(self) -> str:
        """The name of the model that training started from."""
        return str(self.lineage.base["name"])

    @property
    def dataset(self) -> str:
        """The data, as NAME@VERSION; of a mixture the names and the versions of all."""
        return f"{self.lineage.dataset['name']}@{self.lineage.dataset['version']}"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that decided the weights."""
        return dict(self.lineage.settings)

    @property
    def card(self) -> str:
        """The model card, as Markdown."""
        return (self.path / "README.md").read_text(encoding="utf-8")


def open_student(path: str | Path) -> Student:
    """Open the folder of a finished student.

    Args:
        path: the folder, which `--output_dir` named.

    Raises:
        UserError: there is no finished student.

    Example:
        >>> import train
        >>> train.open_student(folder / "first").steps
        1
    """
    folder = Path(path)
    if not is_finished(folder):
        raise UserError(f"{folder} holds no finished student of `train`")
    return Student(folder, StudentLineage.read(read_lineage(folder), f"{folder / LINEAGE}"))


def spec_of(model: Any) -> str:
    """Return the text by which the commands name a model.

    Args:
        model: a spec such as `hf:NAME`, a folder, or an object with a `spec`.
    """
    if hasattr(model, "spec"):
        return str(model.spec)
    # a folder is named by its path, also without `hf:`
    found = TeacherSpec.of_folder(str(model))
    return found.name if found else str(model)


def path_of(value: Any) -> str:
    """Return a path or a name as text; for a version, a run or a student its folder."""
    return str(getattr(value, "path", value))
