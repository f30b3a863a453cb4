"""`train sft`, `train kd` and `train gkd` as functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.records.student import StudentLineage
from train.api.student import Student, open_student, path_of

if TYPE_CHECKING:
    from train.trainers.student import StudentMixin

Model = str | Path | Student
"""A folder or a name on the Hub; a Student stands for its folder."""
Data = str | Path | Any
"""NAME@VERSION, a version's folder, or an object with a `path`, such as a Version."""


def fit_sft(
    model: Model, *, data: Data | None = None, output_dir: str | Path, **flags: Any
) -> Student:
    """Fine-tune a student on a dataset version or a mixture, as `train sft` does.

    A training that was stopped goes on from its last whole checkpoint. A student that is finished
    is returned as it is.

    Args:
        model: the base to start from.
        data: what to train on. Leave it out where `mixture` names several versions.
        output_dir: the student's folder.
        **flags: the flags of `train sft` and of TRL's `SFTConfig` and `ModelConfig`, such as
            `learning_rate`, `max_steps`, `answer_weight`, `dataset_config`, `use_peft`.

    Returns:
        The student.

    Raises:
        UserError: a flag, the base or the data cannot be used, or the loss is no number.

    Example:
        >>> import train
        >>> student = train.fit_sft(
        ...     base, data=version, output_dir=folder / "weighed", max_steps=1, answer_weight=0.5
        ... )
        {'train_runtime': ...
        >>> student.settings["answer_weight"]
        0.5
    """
    from train import sft

    return train_student(sft.build(*sft.parse_sft([], values_of(model, data, output_dir, flags))))


def fit_kd(model: Model, *, data: Data, output_dir: str | Path, **flags: Any) -> Student:
    """Distil the teacher's probabilities that a version stores, as `train kd` does.

    Args:
        model: the base to start from.
        data: a version with stored probabilities (`datagen.store_topk` adds them).
        output_dir: the student's folder.
        **flags: the flags of `train kd` and of TRL's `SFTConfig` and `ModelConfig`, such as
            `divergence`, `kd_weight`, `sft_weight`, `temperature`.

    Returns:
        The student.

    Raises:
        UserError: a flag, the base or the data cannot be used, or the loss is no number.

    Example:
        >>> import train
        >>> student = train.fit_kd(base, data=probabilities, output_dir=folder / "kd", max_steps=1)
        {'train_runtime': ...
        >>> student.lineage.method
        'kd'
    """
    from train import kd

    return train_student(kd.build(*kd.parse_kd([], values_of(model, data, output_dir, flags))))


def fit_gkd(
    model: Model, *, data: Data, output_dir: str | Path, teacher: str | Path, **flags: Any
) -> Student:
    """Distil a live teacher, also on the student's own completions, as `train gkd` does.

    Args:
        model: the base to start from.
        data: the prompts and completions.
        output_dir: the student's folder.
        teacher: micro, a folder or a name on the Hub (`--teacher_model_name_or_path`).
        **flags: the flags of `train gkd` and of TRL's configuration, such as `lmbda`, `beta`,
            `max_new_tokens`, `cross_tokenizer`, `teacher_model_server_url`.

    Returns:
        The student.

    Raises:
        UserError: a flag, the base, the teacher or the data cannot be used.

    Example:
        >>> import train
        >>> student = train.fit_gkd(
        ...     base, data=version, teacher=base, output_dir=folder / "gkd", max_steps=1, lmbda=0
        ... )
        {'train_runtime': ...
        >>> student.settings["trainer"]
        'DistillationTrainer'
    """
    from train import gkd

    values = values_of(model, data, output_dir, flags)
    values["teacher_model_name_or_path"] = path_of(teacher)
    return train_student(gkd.build(*gkd.parse_gkd([], values)))


def values_of(
    model: Model, data: Data | None, output_dir: str | Path, flags: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments by the names of the flags.

    An argument that is None is left out, so its default holds.
    """
    named = {"model_name_or_path": path_of(model), "output_dir": str(output_dir)}
    if data is not None:
        named["dataset"] = path_of(data)
    return named | {name: value for name, value in flags.items() if value is not None}


def train_student(trainer: StudentMixin) -> Student:
    """Train to the end and return the student."""
    from train.trainers.fit import fit

    folder = Path(trainer.args.output_dir)
    trained = fit(trainer)
    if not trained:  # it lay there, finished
        return open_student(folder)
    # on several devices only the first process writes the folder, so it is not read here
    return Student(folder, StudentLineage.read(trainer.lineage, str(folder)))
