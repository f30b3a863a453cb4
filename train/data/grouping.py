"""Which rows stand in a batch together: a question's rationales, its direct answer, wrong
rationales, and the candidate demonstrations of a query.

The trainer draws groups as it would draw rows. `members` are all rows, tokenised once; a group is a
list of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from train.data.mixture import Source, by_length
from train.data.roles import LEARNED
from train.data.rows import Spans, members_of, output_spans, questions_of
from train.data.versions import DataArguments, load_version

if TYPE_CHECKING:
    from datasets import Dataset

    from datagen.versions import Version

OPTIONAL = (
    *("id", "parents", "answer", "rationale"),
    *("candidates", "demonstrations", "query", "target", "format", "strategy"),
)
"""Columns that are read where a version has them."""
Groups = list[list[int]]


@dataclass(frozen=True)
class Need:
    """What a loss compares, and how it comes about."""

    what: str
    """A column, or what groups have beside learned rows: pairs, label, wrong, candidates."""
    source: str
    """The words for a person, with the command that makes it."""


@dataclass(frozen=True)
class SourceRows:
    """The rows of one version, before they are grouped."""

    version: Version
    rows: Dataset
    columns: list[str]
    options: Any
    """The settings of `train sft`: `negatives`, `candidates`."""
    seed: int

    @property
    def has_rationales(self) -> bool:
        return "rationale" in self.columns


@dataclass(frozen=True)
class Attached:
    """More members, and for each group the places of its own among them."""

    members: Dataset
    places: Groups


Attach = Callable[[SourceRows, Groups], Attached | None]
"""From the rows and their groups to further members; None where the version has nothing of it."""


@dataclass(frozen=True)
class RowPlan:
    """How rows must stand together."""

    learned: int = 1
    """How many learned rows of a question stand in a group, at most."""
    attach: Attach | None = None
    """Which rows join every group."""
    mark_outputs: bool = False
    """Whether the outputs of the demonstrations in a prompt are marked."""


@dataclass(frozen=True)
class Plan:
    """What the losses of a command need of the data."""

    rows: tuple[RowPlan, ...] = ()
    needs: Mapping[str, Need] = field(default_factory=dict)
    """By flag."""
    options: Any = None
    long_share: float | None = None
    """Keep one rationale a question: the longest for this share of the questions."""

    @property
    def learned(self) -> int:
        return max((plan.learned for plan in self.rows), default=1)

    @property
    def attach(self) -> list[Attach]:
        """Each once, although two losses may ask for the same."""
        # in order: the numbers of the members follow from it
        return list(dict.fromkeys(plan.attach for plan in self.rows if plan.attach))

    @property
    def mark_outputs(self) -> bool:
        return any(plan.mark_outputs for plan in self.rows)


@dataclass(frozen=True)
class GroupedSource:
    """One source, read: `groups` hold numbers of `members`."""

    source: Source
    version: Version
    members: Dataset
    groups: Groups
    columns: list[str]


def read_source(data: DataArguments, source: Source, plan: Plan, *, seed: int) -> GroupedSource:
    """Read one source and group its rows as the losses need them.

    Raises:
        UserError: the version, its config or a column cannot be read.
    """
    from datasets import concatenate_datasets

    data = replace(data, dataset=source.dataset, dataset_config=source.config)
    version, rows = load_version(data, optional=OPTIONAL)
    read = SourceRows(version, rows, rows.column_names, plan.options, seed)
    read = with_lengths(read, plan.long_share)

    groups = [[row] for row in range(len(read.rows))]
    if plan.learned > 1 and read.has_rationales:
        groups = rows_of_question(questions_of(read.rows), size=plan.learned, seed=seed)

    # the learned rows come first, so that a group's first member is one of them
    parts = [members_of(read.rows, LEARNED, outputs=outputs_of(read, plan))]
    for attach in plan.attach:
        attached = attach(read, groups)
        if attached is not None:
            first = sum(len(part) for part in parts)
            groups = joined(groups, attached.places, first)
            parts.append(attached.members)
    return GroupedSource(source, version, concatenate_datasets(parts), groups, read.columns)


def with_lengths(read: SourceRows, long_share: float | None) -> SourceRows:
    """One rationale a question, the longest or the shortest (`--long_share`)."""
    if long_share is None or not read.has_rationales:
        return read
    lengths = [len(rationale) for rationale in read.rows["rationale"]]
    kept = by_length(questions_of(read.rows), lengths, share=long_share, seed=read.seed)
    return replace(read, rows=read.rows.select(kept))


def outputs_of(read: SourceRows, plan: Plan) -> list[Spans] | None:
    """Where the outputs of demonstrations stand in each prompt, if a loss asks for it."""
    if plan.mark_outputs and "demonstrations" in read.columns:
        return output_spans(read.rows)
    return None


def rows_of_question(questions: Sequence[str], *, size: int, seed: int) -> Groups:
    """Groups of `size` rows of one question, in random order.

    What is left of a question is a smaller group.
    """
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(questions):
        rows.setdefault(question, []).append(row)

    groups: Groups = []
    for question, of in rows.items():
        # a stream for each question: what happens to one leaves the pairs of the others as they are
        Random(f"{seed}:together:{question}").shuffle(of)
        bounds = [*range(0, len(of), size), len(of)]
        groups += [of[start:end] for start, end in pairwise(bounds)]
    return groups


def joined(groups: Groups, places: Groups, first: int) -> Groups:
    """Each group with its further members, whose numbers start at `first`."""
    return [
        [*group, *(first + place for place in more)]
        for group, more in zip(groups, places, strict=True)
    ]


def kept_groups(
    groups: Iterable[Sequence[int]], members: Sequence[int], roles: Sequence[int]
) -> Groups:
    """The groups of the members that are left, each with a row to learn.

    Truncation removes members that keep no token of their completion.

    Args:
        groups: numbers of the members as they were.
        members: the numbers of those that are left, in their new order.
        roles: the roles of those that are left.
    """
    place = {number: at for at, number in enumerate(members)}
    left = [[place[number] for number in group if number in place] for group in groups]
    return [group for group in left if any(roles[at] == LEARNED for at in group)]
