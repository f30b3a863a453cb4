"""What ends a training before its time, said for a person: settings that libraries refuse, a loss
that is no number, a full disk.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datagen.errors import NO_ROOM, UserError
from train.trainers.checkpoints import whole_checkpoints

NO_ROOM_TEXT = re.compile(
    r"os error (28|122|27)\b|No space left|File too large|file write failed|inline_container\.cc"
)
"""How safetensors and torch say that the disk is full: their errors have no number. Torch names its
`inline_container.cc` when the file has another length than what was written."""
NOT_INSTALLED = re.compile(r"requires? \S+ to be installed")
"""How transformers says it of loggers such as wandb: the error is a RuntimeError."""
SHOWN_ROWS = 3
"""Rows that a message shows: enough to recognise them, and still one line."""
SHOWN_CHARACTERS = 40
"""Characters of each."""


@contextlib.contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Raise UserError in the place of errors by which TRL, PEFT and transformers refuse settings.

    Args:
        kinds: the types of these errors. An error that names a package to install is always one.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (ImportError, *kinds)) or NOT_INSTALLED.search(str(error)):
            raise UserError(" ".join(str(error).split())) from error
        raise


@contextlib.contextmanager
def disk_full(folder: Path) -> Iterator[None]:
    """Raise UserError in the place of an error that says that the disk is full.

    A checkpoint that is half written is removed.
    """
    try:
        yield
    except Exception as error:
        if not says_no_room(error):
            raise
        # what is half written would only take the room that the next attempt needs
        whole = whole_checkpoints(folder)
        for checkpoint in folder.glob("checkpoint-*"):
            if checkpoint not in whole:
                shutil.rmtree(checkpoint, ignore_errors=True)
        kept = "no checkpoint was whole"
        if whole:
            kept = f"{whole[-1].name} is whole, and the same command goes on from it"
        raise UserError(f"no room left to write in {folder}: {kept}. Free space first") from error


def says_no_room(error: BaseException) -> bool:
    """Whether an error says that nothing more can be written."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return bool(NO_ROOM_TEXT.search(str(error)))


def no_number(trainer: Any, loss: float, inputs: Mapping[str, Any]) -> UserError:
    """The error of a loss that is no number: in which step, and by which rows of the batch."""
    whole = whole_checkpoints(Path(trainer.args.output_dir))
    kept = f"{whole[-1].name} is kept" if whole else "no checkpoint was written yet"
    found = blamed(trainer, inputs)
    return UserError(
        f"the loss is {loss} in step {trainer.state.global_step + 1}: {found}; {kept}. A lower "
        "--learning_rate or --max_grad_norm, or --bf16 in the place of fp16, may help"
    )


def blamed(trainer: Any, inputs: Mapping[str, Any]) -> str:
    """Which rows of the batch have no finite loss by themselves, in words."""
    rows = rows_without_loss(trainer.model, inputs)
    if not rows:
        return "each row of the batch has a loss by itself"
    if len(rows) == len(inputs.get("input_ids", [])) and len(rows) > 1:
        return "no row of the batch has one, so the weights themselves are lost"
    texts = (trainer.tokenizer.decode(ids, skip_special_tokens=True) for ids in rows[:SHOWN_ROWS])
    shown = ", ".join(repr(text[:SHOWN_CHARACTERS]) for text in texts)
    return f"{len(rows)} rows of the batch have none, such as {shown}"


def rows_without_loss(model: Any, inputs: Mapping[str, Any]) -> list[list[int]]:
    """The tokens of the rows whose log-probabilities are not finite, each computed alone."""
    import torch

    if "input_ids" not in inputs or "attention_mask" not in inputs:
        return []
    found = []
    with torch.no_grad():
        for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
            # alone and without padding, so that no other row can be the cause
            row = ids[mask.bool()]
            logp = model(input_ids=row[None].to(model.device)).logits[0].log_softmax(-1)
            if not logp[range(len(row) - 1), row[1:].to(logp.device)].isfinite().all():
                found.append(row.tolist())
    return found
