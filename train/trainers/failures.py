"""Errors that stop a training, turned into messages for users.

The causes are settings that libraries refuse, a loss that is not finite, and a full disk.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datagen.errors import NO_ROOM, UserError
from datagen.teacher.tokens import row_tokens
from train.trainers.checkpoints import complete_checkpoints

NO_ROOM_TEXT = re.compile(
    r"os error (28|122|27)\b|No space left|File too large|file write failed|inline_container\.cc"
)
"""How safetensors and torch say that the disk is full, because their errors have no errno. Torch
names its `inline_container.cc` when the length of the file differs from what was written."""
NOT_INSTALLED = re.compile(r"requires? \S+ to be installed")
"""How transformers says that a logger such as wandb is missing: the error is a RuntimeError."""
SHOWN_ROWS = 3
"""Rows that a message shows: enough to find them in the data, and still one line."""
SHOWN_CHARACTERS = 40
"""Characters of each of these rows."""


@contextlib.contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Raise UserError instead of errors with which TRL, PEFT and transformers refuse settings.

    Args:
        kinds: the types of these errors. An error that names a package to install is always one.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (ImportError, *kinds)) or NOT_INSTALLED.search(str(error)):
            # one line, as all messages of the commands
            raise UserError(" ".join(str(error).split())) from error
        raise


@contextlib.contextmanager
def disk_full(folder: Path) -> Iterator[None]:
    """Raise UserError instead of an error that says that the disk is full.

    An incomplete checkpoint is removed.
    """
    try:
        yield
    except Exception as error:
        if not says_no_room(error):
            raise
        # an incomplete checkpoint is of no use and takes the space that the next attempt needs
        whole = complete_checkpoints(folder)
        for checkpoint in folder.glob("checkpoint-*"):
            if checkpoint not in whole:
                shutil.rmtree(checkpoint, ignore_errors=True)
        kept = "no checkpoint was whole"
        if whole:
            kept = f"{whole[-1].name} is whole, and the same command goes on from it"
        raise UserError(f"no room left to write in {folder}: {kept}. Free space first") from error


def says_no_room(error: BaseException) -> bool:
    """Return whether an error says that the disk is full."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return bool(NO_ROOM_TEXT.search(str(error)))


def not_finite(trainer: Any, loss: float, inputs: Any) -> UserError:
    """Return the error for a loss that is not finite, with the step and the rows that cause it."""
    whole = complete_checkpoints(Path(trainer.args.output_dir))
    kept = f"{whole[-1].name} is kept" if whole else "no checkpoint was written yet"
    found = describe_bad_rows(trainer, inputs)
    return UserError(
        f"the loss is {loss} in step {trainer.state.global_step + 1}: {found}; {kept}. A lower "
        "--learning_rate or --max_grad_norm, or --bf16 in the place of fp16, may help"
    )


def describe_bad_rows(trainer: Any, inputs: Any) -> str:
    """Return a sentence about the rows of the batch that alone have no finite loss."""
    sequences = sequences_of(inputs, trainer.tokenizer)
    rows = without_loss(trainer.model, sequences)
    if not rows:
        return "each row of the batch alone has a finite loss"
    if len(rows) == len(sequences) and len(rows) > 1:
        return "no row of the batch has a finite loss, so the weights themselves are broken"
    texts = (trainer.tokenizer.decode(ids, skip_special_tokens=True) for ids in rows[:SHOWN_ROWS])
    examples = ", ".join(repr(text[:SHOWN_CHARACTERS]) for text in texts)
    return f"{len(rows)} rows of the batch have no finite loss, such as {examples}"


def sequences_of(inputs: Any, tokenizer: Any) -> list[list[int]]:
    """Return the tokens of each row of a batch, without padding."""
    if isinstance(inputs, list):
        # `train gkd` turns rows into tokens later; GOLD's rows are other ones
        whole = [row_tokens(row, tokenizer) for row in inputs if "completion" in row]
        return [prompt + completion for prompt, completion in whole]
    if "input_ids" not in inputs or "attention_mask" not in inputs:
        return []
    pairs = zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
    return [ids[mask.bool()].tolist() for ids, mask in pairs]


def without_loss(model: Any, sequences: list[list[int]]) -> list[list[int]]:
    """Return the sequences whose log-probabilities are not finite.

    Each is computed alone, so that no other row can be the cause.
    """
    import torch

    found = []
    with torch.no_grad():
        for ids in sequences:
            row = torch.tensor(ids, device=model.device)
            logp = model(input_ids=row[None]).logits[0].log_softmax(-1)
            if not logp[range(len(row) - 1), row[1:].to(logp.device)].isfinite().all():
                found.append(ids)
    return found
