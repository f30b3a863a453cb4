"""Running a training to its end, also from the last complete checkpoint."""

from __future__ import annotations

from pathlib import Path

from train.trainers.checkpoints import check_folder_free, is_finished, last_checkpoint
from train.trainers.failures import disk_full, refusals
from train.trainers.student import StudentMixin


def fit(trainer: StudentMixin) -> bool:
    """Train, and write model, card and lineage to `output_dir`.

    Returns:
        Whether anything was trained. A finished student is not changed.

    Raises:
        UserError: the folder holds something else, the disk is full, or the loss is no number.
    """
    folder = Path(trainer.args.output_dir)
    check_folder_free(folder, trainer.lineage)
    if is_finished(folder):
        return False
    # A damaged checkpoint stops the command here. Transformers would resume without a missing file
    # of the optimizer, and give no warning.
    checkpoint = last_checkpoint(folder)
    with disk_full(folder), refusals():
        # the lineage comes first: it identifies the training in the folder, also after a kill
        trainer.describe()
        trainer.train(resume_from_checkpoint=checkpoint)  # type: ignore[attr-defined]
        trainer.save_student()
    return True


def train_and_print(trainer: StudentMixin) -> None:
    """Train, and print where the student is and what to do next."""
    trained = fit(trainer)
    if not trainer.is_world_process_zero():
        return
    folder = Path(trainer.args.output_dir)
    if trained:
        # a student that learned answers alone is asked for the answer alone
        answers = trainer.lineage["dataset"].get("config") == "answers"
        student = f"{folder.name}=hf:{folder}{':direct' if answers else ''}"
        print(f"written to {folder}; next: train evaluate --students {student} ...")
    else:
        print(f"{folder} already holds this finished student; nothing was trained")
