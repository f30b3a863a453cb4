"""The columns of the members of groups, and what is read from a row.

From a row come its question and the demonstrations in its prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.prompts.episodes import Format

if TYPE_CHECKING:
    from datasets import Dataset

Spans = list[list[int]]
"""A list of [start, end] pairs of characters or tokens; the end is excluded."""


def members_of(
    rows: Dataset,
    role: int,
    scores: Sequence[float] | None = None,
    *,
    outputs: Sequence[Spans] | None = None,
) -> Dataset:
    """Return rows as members of groups: prompt, completion, answer, role, score, outputs.

    Args:
        rows: with prompt, completion and perhaps answer.
        role: the role of all rows, one of `train.data.roles`.
        scores: the teacher's score of each row. Default: 0.
        outputs: where outputs of demonstrations are in the prompt of each row. Default: nowhere.
    """
    from datasets import List, Value

    answer = ["answer"] if "answer" in rows.column_names else []
    # all members have the same columns, or `concatenate_datasets` would not join them
    kept = rows.select_columns(["prompt", "completion", *answer])
    if not answer:
        kept = kept.add_column("answer", [None] * len(rows), feature=Value("string"))

    kept = kept.add_column("role", [role] * len(rows), feature=Value("int64"))
    kept = kept.add_column("score", list(scores or [0.0] * len(rows)), feature=Value("float64"))
    spans = list(outputs or [[]] * len(rows))
    return kept.add_column("outputs", spans, feature=List(List(Value("int32"))))


def questions_of(rows: Dataset) -> list[str]:
    """Return the question that each row was made from: the first of its `parents`.

    Raises:
        UserError: the rows have no such column.
    """
    if "parents" not in rows.column_names:
        raise UserError(
            "no column parents, which says which rows belong to one question "
            "(`datagen rationales` writes it)"
        )
    return [parents[0] if parents else f"row {row}" for row, parents in enumerate(rows["parents"])]


def output_spans(rows: Dataset) -> list[Spans]:
    """Return where the demonstrations' outputs are in the last turn of every row's prompt.

    The spans count characters. A row whose prompt does not show its demonstrations has none. That
    is a student of context distillation.
    """
    found: list[Spans] = []
    for row in rows.select_columns(["prompt", "demonstrations", "query", "format"]):
        format = Format(row["format"])
        text = row["prompt"][-1]["content"]
        pairs = pairs_of(row)
        episode = format.text(pairs, row["query"])
        # a description of the task may stand in front of the episode
        ahead = len(text) - len(episode)
        spans = format.outputs(pairs) if text.endswith(episode) else []
        found.append([[ahead + start, ahead + end] for start, end in spans])
    return found


def pairs_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the input and output of each demonstration that a row shows."""
    return [(each["input"], each["output"]) for each in row["demonstrations"]]
