"""Groups of rows that must be in the same batch, because a loss compares them.

A group may hold several rationales of a question, its direct answer, wrong rationales, or candidate
demonstrations of a query. The trainer draws groups as it would draw rows. `members` are all rows,
tokenised once. A group is a list of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from train.data.mixture import Source, choose_by_length
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
    """What a loss needs in the data, and the command that makes it."""

    what: str
    """A column, or what groups must hold besides learned rows: pairs, label, wrong, candidates."""
    source: str
    """What an error message says is missing, with the command that makes it."""


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
        """Whether the version has rationales, so that rows of one question can be grouped."""
        return "rationale" in self.columns


@dataclass(frozen=True)
class Attached:
    """Further members, and for each group the places of its own members among them."""

    members: Dataset
    places: Groups


Attach = Callable[[SourceRows, Groups], Attached | None]
"""Returns further members for the groups, or None if the version has none."""


@dataclass(frozen=True)
class RowPlan:
    """Which rows a loss needs together in a group."""

    learned: int = 1
    """The largest number of learned rows of a question in a group."""
    attach: Attach | None = None
    """Finds the rows that join every group."""
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
    """If set, keep one rationale of each question: the longest for this share of the questions."""

    @property
    def learned(self) -> int:
        """The largest number of learned rows in a group that any loss asks for."""
        return max((plan.learned for plan in self.rows), default=1)

    @property
    def attach(self) -> list[Attach]:
        """The functions that find further members, each once: two losses may ask for the same."""
        # a dict, not a set: the order decides the numbers of the members
        return list(dict.fromkeys(plan.attach for plan in self.rows if plan.attach))

    @property
    def mark_outputs(self) -> bool:
        """Whether any loss needs the outputs of the demonstrations marked."""
        return any(plan.mark_outputs for plan in self.rows)


@dataclass(frozen=True)
class GroupedSource:
    """The rows of one source, grouped. `groups` hold numbers of `members`."""

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
    read = keep_one_rationale(read, plan.long_share)

    groups = [[row] for row in range(len(read.rows))]
    # only rationales come several to a question
    if plan.learned > 1 and read.has_rationales:
        groups = rows_of_question(questions_of(read.rows), size=plan.learned, seed=seed)

    # the learned rows come first, so that a group's first member is one of them
    parts = [members_of(read.rows, LEARNED, outputs=outputs_of(read, plan))]
    for attach in plan.attach:
        attached = attach(read, groups)
        if attached is not None:
            first = sum(len(part) for part in parts)
            groups = extend_groups(groups, attached.places, first)
            parts.append(attached.members)
    return GroupedSource(source, version, concatenate_datasets(parts), groups, read.columns)


def keep_one_rationale(read: SourceRows, long_share: float | None) -> SourceRows:
    """Return the rows with one rationale per question, the longest or shortest (`--long_share`)."""
    if long_share is None or not read.has_rationales:
        return read
    lengths = [len(rationale) for rationale in read.rows["rationale"]]
    kept = choose_by_length(questions_of(read.rows), lengths, share=long_share, seed=read.seed)
    return replace(read, rows=read.rows.select(kept))


def outputs_of(read: SourceRows, plan: Plan) -> list[Spans] | None:
    """Return where the outputs of demonstrations are in each prompt, if a loss needs them."""
    if plan.mark_outputs and "demonstrations" in read.columns:
        return output_spans(read.rows)
    return None


def rows_of_question(questions: Sequence[str], *, size: int, seed: int) -> Groups:
    """Return groups of `size` rows of one question, in random order.

    The last group of a question is smaller if its rows do not divide evenly.
    """
    rows: dict[str, list[int]] = {}
    for row, question in enumerate(questions):
        rows.setdefault(question, []).append(row)

    groups: Groups = []
    for question, of in rows.items():
        # a random stream for each question: a change to one keeps the groups of the others
        Random(f"{seed}:together:{question}").shuffle(of)
        bounds = [*range(0, len(of), size), len(of)]
        groups += [of[start:end] for start, end in pairwise(bounds)]
    return groups


def extend_groups(groups: Groups, places: Groups, first: int) -> Groups:
    """Return each group with its further members, whose numbers start at `first`."""
    return [
        [*group, *(first + place for place in more)]
        for group, more in zip(groups, places, strict=True)
    ]


def renumber_groups(
    groups: Iterable[Sequence[int]], members: Sequence[int], roles: Sequence[int]
) -> Groups:
    """Return the groups with the new numbers of the members, without groups that teach nothing.

    Truncation removes members that keep no token of their completion. A group without a learned
    row is dropped.

    Args:
        groups: numbers of the members before truncation.
        members: the numbers of those that are left, in their new order.
        roles: the roles of those that are left.
    """
    place = {number: at for at, number in enumerate(members)}
    renumbered = [[place[number] for number in group if number in place] for group in groups]
    return [group for group in renumbered if any(roles[at] == LEARNED for at in group)]
