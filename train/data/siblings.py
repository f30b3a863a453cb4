"""Rows of the same question that join a group: its direct answer, and wrong rationales."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from train.data.grouping import Attached, Groups, SourceRows
from train.data.roles import LABEL, WRONG
from train.data.rows import members_of, questions_of
from train.data.versions import open_config

if TYPE_CHECKING:
    from datasets import Dataset

WRONG_REASONS = ("wrong", "minority")
"""Reasons for which rows were rejected whose answer is wrong or lost the vote."""


def direct_answers(read: SourceRows, groups: Groups) -> Attached | None:
    """Return one row of the config `answers` for each group."""
    if not read.has_rationales:
        return None
    answers = open_config(read.version.path, "answers")
    return attach_siblings(read, groups, answers, role=LABEL, count=1)


def wrong_rationales(read: SourceRows, groups: Groups) -> Attached | None:
    """Return at most `negatives` rejected rationales for each group."""
    if not read.has_rationales:
        return None
    wrong = open_config(read.version.path, "rejected").filter(is_wrong)
    return attach_siblings(read, groups, wrong, role=WRONG, count=read.options.negatives)


def attach_siblings(
    read: SourceRows, groups: Groups, others: Dataset, *, role: int, count: int
) -> Attached:
    """Return the other rows as members, at most `count` of the same question for each group."""
    places = sibling_places(groups, read.rows, others, count=count, seed=read.seed)
    return Attached(members_of(others, role), places)


def sibling_places(
    groups: Groups, rows: Dataset, others: Dataset, *, count: int, seed: int
) -> Groups:
    """Return, for each group, the places of `count` other rows of its question.

    The groups of a question take turns through these rows in random order. A group holds no row
    twice.
    """
    of_question: dict[str, list[int]] = {}
    for place, question in enumerate(questions_of(others)):
        of_question.setdefault(question, []).append(place)
    # the words of the streams are part of what a seed means: other words would be other batches
    for question, places in of_question.items():
        Random(f"{seed}:beside:{question}").shuffle(places)

    names = questions_of(rows)
    found: Groups = []
    for group in groups:
        places = of_question.get(names[group[0]], [])
        found.append(places[:count])
        # the next group of the question begins behind these, so that all rows get their turn
        places[:] = [*places[count:], *places[:count]]
    return found


def is_wrong(row: Mapping[str, Any]) -> bool:
    """Return whether a rejected row is a complete rationale that was rejected for its answer."""
    return (
        row["reason"] in WRONG_REASONS
        and row["correct"] is not True
        and bool(row["completion"] and row["answer"])
    )
