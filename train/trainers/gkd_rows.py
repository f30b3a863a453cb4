"""The rows of `train gkd`: what each of TRL's trainers reads, and whether they fit."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.data.tokenising import fitting_tokens

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("train.gkd")


def rows_for(mode: str, rows: Dataset) -> Dataset:
    """Return the rows with the columns that the mode's trainer reads."""
    if mode != "gold":
        return rows.select_columns(["prompt", "completion"])
    # GOLD reads whole conversations
    return rows.map(
        lambda row: {"messages": row["prompt"] + row["completion"]},
        remove_columns=rows.column_names,
    )


def check_rows(mode: str, rows: Dataset, tokenizer: Any, training: Any, config: Any) -> None:
    """Check that there are rows for a step, and that every row fits into the lengths.

    TRL would train on nothing, fail in the middle of a training, or run over the model's positions.

    Args:
        mode: gkd, server or gold.
        rows: prompt and completion.
        tokenizer: the student's.
        training: with the lengths.
        config: the configuration of the student's language model.

    Raises:
        UserError: there are fewer rows than a step takes, or a row does not fit.
    """
    if mode != "gold":
        check_number(len(rows), training)
    context = getattr(config, "max_position_embeddings", None) or sys.maxsize
    limit = training.max_length or sys.maxsize
    cut = 0
    for number, row in enumerate(rows):
        prompt, completion = (len(tokens) for tokens in fitting_tokens(row, tokenizer, number))
        if training.lmbda > 0:
            check_room(f"row {number}", prompt, training.max_completion_length, context)
        if mode == "gold":
            # TRL cuts the prompt
            if completion >= limit:
                raise UserError(
                    f"row {number}: its completion fills --max_length {limit} and leaves no room "
                    "for the prompt"
                )
        elif training.lmbda < 1:
            check_given(f"row {number}", prompt, completion, limit, context)
            cut += prompt + completion > limit
    if cut and training.process_index == 0:
        what = "%d of %d rows have more than %d tokens and are cut there (--max_length)"
        log.warning(what, cut, len(rows), limit)


def check_number(rows: int, training: Any) -> None:
    """Check that the rows fill a step, and say how many are left over at the end of an epoch.

    TRL draws whole steps alone.

    Raises:
        UserError: there are fewer rows than a step takes.
    """
    step = training.train_batch_size * training.gradient_accumulation_steps * training.world_size
    if rows < step:
        raise UserError(
            f"a step takes {step} rows and the data have {rows}: lower "
            "--per_device_train_batch_size or --gradient_accumulation_steps"
        )
    if rows % step and training.max_steps <= 0 and training.process_index == 0:
        what = "an epoch is %d steps of %d rows, and leaves out %d of %d rows, each epoch others"
        log.warning(what, rows // step, step, rows % step, rows)


def check_room(row: str, prompt: int, new: int, context: int) -> None:
    """Raise UserError if a prompt leaves no room for what the student writes."""
    if prompt + new > context:
        raise UserError(
            f"{row}: its prompt has {prompt} tokens, and with --max_new_tokens {new} exceeds the "
            f"student's context of {context}"
        )


def check_given(row: str, prompt: int, completion: int, limit: int, context: int) -> None:
    """Raise UserError if no token of a completion is left, or the row exceeds the context."""
    if prompt >= limit:
        raise UserError(
            f"{row}: its prompt fills --max_length {limit} and leaves no room for the completion"
        )
    if min(prompt + completion, limit) > context:
        raise UserError(
            f"{row} has {prompt + completion} tokens: more than the context, {context}; "
            f"--max_length {context} cuts it"
        )
