"""Rows as tokens: the prompt as the student will be asked it, and then the completion."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.teacher.tokens import RowText, TemplateMisfit, row_text, text_tokens

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("train.sft")
OTHER_TEMPLATE = "give another with --chat_template_path"
"""What to do about a chat template that does not fit."""
ODD = "odd"
UNREAD = "unread"
"""Columns that mark the rows of the two warnings."""


def fitting_text(row: Mapping[str, Any], tokenizer: Any, number: int) -> RowText:
    """Return the text of a row under the student's chat template.

    Raises:
        UserError: the template refuses the row or leaves out a part of its completion.
    """
    try:
        return row_text(row, tokenizer, number=number)
    except TemplateMisfit as error:
        raise UserError(f"{error}; {OTHER_TEMPLATE}") from None


def fitting_tokens(
    row: Mapping[str, Any], tokenizer: Any, number: int
) -> tuple[list[int], list[int]]:
    """Return the tokens of a row's prompt and completion under the student's chat template.

    Raises:
        UserError: the template refuses the row or leaves out a part of its completion.
    """
    return text_tokens(fitting_text(row, tokenizer, number), tokenizer)


def with_tokens(rows: Dataset, tokenizer: Any, *, workers: int | None, warn: bool) -> Dataset:
    """Return the rows with `input_ids` and `completion_mask`, which TRL trains on as they are.

    Args:
        rows: prompt and completion as chat turns.
        tokenizer: the student's.
        workers: processes that tokenise.
        warn: whether this process warns of rows that do not fit the template well.

    Raises:
        UserError: the template refuses a row or leaves out a part of its completion.
    """

    def tokens_of(row: dict[str, Any], number: int) -> dict[str, Any]:
        text = fitting_text(row, tokenizer, number)
        prompt, completion = text_tokens(text, tokenizer)
        return {
            "input_ids": prompt + completion,
            "completion_mask": [0] * len(prompt) + [1] * len(completion),
            ODD: text.primed if text.starts_elsewhere else "",
            UNREAD: unread_turn(row["prompt"], text.prompt),
        }

    found = rows.map(tokens_of, with_indices=True, num_proc=workers, desc="Tokenising rows")
    if warn:
        warn_of(found[ODD], "begins every answer with %r, which does not fit the completion")
        warn_of(found[UNREAD], "leaves out the %s turn of the prompt")
    return found.remove_columns([ODD, UNREAD])


def unread_turn(turns: Sequence[Mapping[str, str]], prompt: str) -> str:
    """Return the role of the first turn whose text a rendered prompt lacks, or nothing.

    Many templates leave the thoughts of earlier answers out, so answers are not looked at.
    """
    asked = [turn for turn in turns if turn["role"] != "assistant"]
    return next((turn["role"] for turn in asked if turn["content"].strip() not in prompt), "")


def warn_of(marked: Sequence[str], what: str) -> None:
    """Log a warning that counts the rows that are marked, and names the first."""
    numbers = [number for number, mark in enumerate(marked) if mark]
    if numbers:
        first = numbers[0]
        where = f"of %d of %d rows, such as row %d; {OTHER_TEMPLATE}"
        log.warning(
            f"the chat template {what} {where}", marked[first], len(numbers), len(marked), first
        )
