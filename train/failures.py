"""What ends a training before its time, said for a person: settings that libraries refuse, a loss
that is no number, a disk that is full."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datagen.errors import NO_ROOM, UserError
from train.checkpoints import whole_checkpoints

NO_ROOM_TEXT = re.compile(
    r"os error (28|122|27)\b|No space left|File too large|file write failed|inline_container\.cc"
)
"""How safetensors and torch (a file of another length than was written) say it: their errors have
no number."""
NOT_INSTALLED = re.compile(r"requires? \S+ to be installed")
"""How transformers says it of what reports: the error is a RuntimeError."""
SHOWN = 3
"""Rows that a message shows."""


@contextlib.contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Raises UserError in the place of these kinds of errors, and of one that names a package to
    install: TRL, PEFT and transformers refuse settings so."""
    try:
        yield
    except Exception as error:
        if isinstance(error, (ImportError, *kinds)) or NOT_INSTALLED.search(str(error)):
            raise UserError(" ".join(str(error).split())) from error
        raise


@contextlib.contextmanager
def room(folder: Path) -> Iterator[None]:
    """Raises UserError in the place of an error that says that nothing more can be written; what
    was half written is removed."""
    try:
        yield
    except Exception as error:
        if not no_room(error):
            raise
        whole = whole_checkpoints(folder)
        for checkpoint in folder.glob("checkpoint-*"):
            if checkpoint not in whole:
                shutil.rmtree(checkpoint, ignore_errors=True)
        kept = (
            f"{whole[-1].name} is whole, and the same command goes on from it"
            if whole
            else "no checkpoint was whole"
        )
        raise UserError(f"no room left to write in {folder}: {kept}. Free space first") from error


def no_room(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return bool(NO_ROOM_TEXT.search(str(error)))


def no_number(trainer: Any, loss: float, inputs: Mapping[str, Any]) -> UserError:
    """Says in which step, and which rows of the batch have no finite loss by themselves."""
    rows = rows_without_loss(trainer.model, inputs)
    texts = [
        repr(trainer._tokenizer.decode(ids, skip_special_tokens=True)[:40]) for ids in rows[:SHOWN]
    ]
    found = (
        "each row of the batch has a loss by itself"
        if not rows
        else f"{len(rows)} rows of the batch have none"
    )
    if len(rows) == len(inputs.get("input_ids", [])) and len(rows) > 1:
        found = "no row of the batch has one, so the weights themselves are lost"
    elif texts:
        found += f", such as {', '.join(texts)}"
    whole = whole_checkpoints(Path(trainer.args.output_dir))
    kept = f"{whole[-1].name} is kept" if whole else "no checkpoint was written yet"
    return UserError(
        f"the loss is {loss} in step {trainer.state.global_step + 1}: {found}; {kept}. A lower --learning_rate or "
        "--max_grad_norm, or --bf16 in the place of fp16, may help"
    )


def rows_without_loss(model: Any, inputs: Mapping[str, Any]) -> list[list[int]]:
    """The tokens of those rows of a batch whose log-probabilities are not finite, each asked
    alone."""
    import torch

    found = []
    if "input_ids" not in inputs or "attention_mask" not in inputs:
        return []
    with torch.no_grad():
        for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True):
            row = ids[mask.bool()]
            logp = model(input_ids=row[None].to(model.device)).logits[0].log_softmax(-1)
            if not logp[range(len(row) - 1), row[1:].to(logp.device)].isfinite().all():
                found.append(row.tolist())
    return found
