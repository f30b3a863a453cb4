"""What a row holds of the reasoning that came with an answer.

A row without reasoning has none of these columns. So the files of a teacher that does not reason
are the same under every setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeAlias

from datagen.schema import REASONING, Row, assistant
from datagen.teacher.base import Completion
from datagen.teacher.chat.reasoning import join_reasoning

Kept: TypeAlias = Literal["keep", "separate", "drop"]
"""keep: the completion holds the reasoning and the answer. separate: the completion holds the
answer, and the column `reasoning` the reasoning. drop: the reasoning is left out."""

COUNTED = {"keep": "reasoning_kept", "separate": REASONING, "drop": "reasoning_dropped"}
"""By setting, the key that a row with reasoning has. Keys that are no columns are not exported."""
CUT = "reasoning_cut"
"""The key of a row whose answer was cut off before it began."""
ALONE = "reasoning_alone"
"""The key of a row whose reasoning ended, with no answer after it."""


def kept_text(answer: Completion, kept: Kept, text: str | None = None) -> str:
    """Return what the completion of a row holds.

    Args:
        answer: of the teacher.
        kept: the setting.
        text: what a method read from the answer. Default: the answer as the teacher wrote it.
    """
    said = answer.text.strip() if text is None else text
    return join_reasoning(answer.reasoning, said) if kept == "keep" else said


def kept_columns(answer: Completion, kept: Kept) -> Row:
    """Return the columns of a row about reasoning: none for an answer without it."""
    columns = cut_column(answer)
    if answer.reasoning:
        columns[COUNTED[kept]] = answer.reasoning if kept == "separate" else True
    if answer.reasoning and not answer.text.strip() and CUT not in columns:
        columns[ALONE] = True
    return columns


def cut_column(answer: Completion) -> Row:
    """Return the key of a row whose answer was cut off before it began, or nothing."""
    cut = answer.finish_reason == "length" and not answer.text.strip()
    return {CUT: True} if cut else {}


def kept_completion(answer: Completion, kept: Kept, text: str | None = None) -> Row:
    """Return the columns `completion` and `output` of a response, and those about reasoning."""
    held = kept_text(answer, kept, text)
    return {"completion": assistant(held), "output": held, **kept_columns(answer, kept)}


def without_default(settings: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a run records. The default of --reasoning is not among them.

    Runs from before this setting existed do not have it, and must be resumable.
    """
    default = {field.name: field.default for field in fields(settings)}.get("reasoning")
    return {
        name: value
        for name, value in values.items()
        if name != "reasoning" or settings.reasoning != default
    }


def reasoning_lines(stats: Mapping[str, Any]) -> list[str]:
    """Return the closing lines of a run about reasoning: none for a teacher that does not reason.

    Example:
        >>> reasoning_lines({"reasoning": {"drop": 1200, "cut": 0}})
        ['reasoning: left out of 1,200 answers (--reasoning drop)']
    """
    found = stats.get("reasoning") or {}
    about = {
        "keep": "in the completions of {} rows, before the answer",
        "separate": "of {} answers, in the column reasoning",
        "drop": "left out of {} answers (--reasoning drop)",
    }
    lines = [
        f"reasoning: {text.format(f'{found[kept]:,}')}"
        for kept, text in about.items()
        if found.get(kept)
    ]
    return lines + [f"no answer: {text}" for text in missing_answers(found)]


def missing_answers(found: Mapping[str, int]) -> list[str]:
    """Return how many answers are missing, and what to do about it.

    Args:
        found: the counts of a run about reasoning.
    """
    lines = []
    if cut := found.get("cut"):
        lines.append(f"{cut:,} were cut off before they began; give a larger --max_tokens")
    if alone := found.get("alone"):
        lines.append(
            f"{alone:,} are reasoning alone; the server may take the whole answer for reasoning"
        )
    return lines
