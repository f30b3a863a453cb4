"""The rows and the statistics of Evol-Instruct."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from datagen.schema import Accepted, Outcome, Rejected, Row, content_id, user
from datagen.sources.instructions import Prompt, conversation, describe
from datagen.teacher import Completion
from datagen.teacher.chat.kept import Kept, cut_column, kept_completion

METHOD = "evol-instruct"


@dataclass(frozen=True)
class Step:
    """What one round does to one instruction."""

    parent: str
    """Id of the row, or of the seed, that is rewritten."""
    text: str
    """The whole prompt of the parent."""
    operation: str
    round: int


def evolved_row(
    seed: Prompt, step: Step, written: Completion, answer: Completion | None, *, kept: Kept
) -> Row:
    """Return the row of an evolution.

    Args:
        seed: where the evolution began.
        step: the round.
        written: the rewritten instruction.
        answer: its response. None if the instruction was rejected before.
        kept: what the row holds of the reasoning before the response.
    """
    text = response_columns(answer, kept)["output"] if answer else None
    row = {
        "id": content_id(METHOD, step.parent, step.round, step.operation, written.text, text),
        "method": METHOD,
        "parents": [step.parent],
        "prompt": conversation(seed.context) + user(written.text),
        "instruction": written.text,
        "input": "",
        "operation": step.operation,
        "round": step.round,
        "root": seed.id,
    }
    if seed.context:
        row["system"] = seed.system
    if answer is None:
        finish = {"finish_reason": written.finish_reason}
        return row | {"completion": [], **finish, **cut_column(written)}
    return row | response_columns(answer, kept)


def seed_row(seed: Prompt, answer: Completion, *, kept: Kept) -> Row:
    """Return the row of a seed with its response: round 0."""
    row = describe(seed, METHOD) | response_columns(answer, kept)
    row |= {"operation": None, "round": 0, "root": seed.id}
    # round 0, so that the id differs from those of its evolutions
    row["id"] = content_id(METHOD, seed.id, 0, seed.text, row["output"])
    return row


def failed_row(seed: Prompt) -> Row:
    """Return the row of a seed whose request failed for good."""
    return describe(seed, METHOD) | {"id": content_id(METHOD, seed.id, "failed"), "root": seed.id}


def response_columns(answer: Completion, kept: Kept) -> Row:
    """Return the columns of a response."""
    return kept_completion(answer, kept) | {"finish_reason": answer.finish_reason}


def outcome_of(row: Row, reason: str | None, part: str) -> Outcome:
    """Return a row, rejected if there is a reason.

    Args:
        row: of an evolution or a seed.
        reason: to reject it, or None.
        part: what the reason is about: "instruction", "response" or "judgement". The rejected row
            has it as its `detail`.
    """
    return Rejected(row | {"detail": part}, reason) if reason else Accepted(row, "instructions")


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """Return how many evolutions were tried and kept, by round and by operation."""
    rounds: dict[str, dict[str, int]] = defaultdict(lambda: {"tried": 0, "kept": 0})
    operations: dict[str, dict[str, int]] = defaultdict(lambda: {"tried": 0, "kept": 0})
    for rows in items:
        for row in rows:
            # only rejected rows have a detail
            kept = "detail" not in row
            for counts, name in ((rounds, row.get("round")), (operations, row.get("operation"))):
                if name is not None:
                    counts[str(name)]["tried"] += 1
                    counts[str(name)]["kept"] += kept
    return {"rounds": dict(sorted(rounds.items())), "operations": dict(sorted(operations.items()))}
