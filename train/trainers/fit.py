"""Train to the end, or go on from the last whole checkpoint."""

from __future__ import annotations

from pathlib import Path

from train.trainers.checkpoints import claim, finished, last_checkpoint
from train.trainers.failures import disk_full, refusals
from train.trainers.student import StudentMixin


def fit(trainer: StudentMixin) -> bool:
    """Train, and leave model, card and lineage in `output_dir`.

    Returns:
        Whether anything was trained: a student that is finished stays as it is.

    Raises:
        UserError: the folder holds something else, the disk is full, or the loss is no number.
    """
    folder = Path(trainer.args.output_dir)
    claim(folder, trainer.lineage)
    if finished(folder):
        return False
    # a damaged checkpoint ends the command here: transformers goes on in silence without a file
    # of the optimizer that is missing
    checkpoint = last_checkpoint(folder)
    with disk_full(folder), refusals():
        # first the lineage: from now on the folder says whose it is, also after a kill
        trainer.describe()
        trainer.train(resume_from_checkpoint=checkpoint)  # type: ignore[attr-defined]
        trainer.save_student()
    return True


def train_and_print(trainer: StudentMixin) -> None:
    """Train, and print where the student lies and what to do next."""
    trained = fit(trainer)
    if not trainer.is_world_process_zero():
        return
    folder = Path(trainer.args.output_dir)
    if trained:
        print(f"written to {folder}; next: train evaluate --students {folder.name}=hf:{folder} ...")
    else:
        print(f"{folder} holds this student already, finished; nothing was trained")
