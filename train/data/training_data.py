"""The data of `train sft`: one dataset version or a mixture, as groups of rows, with lineage."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.data.grouping import GroupedSource, Groups, Plan, read_source
from train.data.mixture import Source, mix_rows, read_mixture
from train.data.roles import CANDIDATE, LABEL, LEARNED, WRONG
from train.data.versions import DataArguments, dataset_lineage

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class TrainingData:
    """The rows to train on, as groups, with their entry in the lineage.

    `groups` hold numbers of `members`.
    """

    members: Dataset
    groups: Groups
    dataset: dict[str, Any]
    """The entry in the lineage."""

    @property
    def rows(self) -> Dataset:
        """Prompt and completion of the learned rows only, in order."""
        learned = self.members.select([group[0] for group in self.groups])
        return learned.select_columns(["prompt", "completion"])


@dataclass(frozen=True)
class Mixture:
    """The flags that set the proportions of several versions."""

    sources: Sequence[str] | None = None
    """As `--mixture` takes them; None: the one version of `--dataset`."""
    rows: int | None = None
    """Rows of an epoch. Default: the fewest that contain every version in full."""


def read_training_data(
    data: DataArguments, mixture: Mixture, plan: Plan, *, seed: int
) -> TrainingData:
    """Read the versions, check them, and mix them in their proportions.

    Args:
        data: the version, or the settings of all versions of the mixture.
        mixture: several versions and their weights.
        plan: what the losses need.
        seed: of the order of the rows.

    Raises:
        UserError: a version, a config or a column is missing.
    """
    from datasets import concatenate_datasets

    sources = sources_of(data, mixture)
    parts = [read_source(data, source, plan, seed=seed) for source in sources]
    check_needs(parts, plan)

    order = epoch_order(parts, mixture, seed)
    # the members of all sources are concatenated, so the numbers of each source are shifted
    first = [sum(len(part.members) for part in parts[:place]) for place in range(len(parts))]
    groups = [
        [first[place] + number for number in parts[place].groups[index]] for place, index in order
    ]
    members = concatenate_datasets([part.members for part in parts])
    return TrainingData(members, groups, lineage_of_parts(parts, order, mixture))


def sources_of(data: DataArguments, mixture: Mixture) -> list[Source]:
    """Return the sources with their weights.

    Raises:
        UserError: both --dataset and --mixture are given.
    """
    if not mixture.sources:
        return [Source(data.dataset, data.dataset_config, Fraction(1))]
    if data.dataset:
        raise UserError("--dataset and --mixture: give one of the two")
    return read_mixture(mixture.sources, config=data.dataset_config)


def epoch_order(
    parts: Sequence[GroupedSource], mixture: Mixture, seed: int
) -> list[tuple[int, int]]:
    """Return the source and the index of every group of an epoch."""
    if not mixture.sources:
        return [(0, index) for index in range(len(parts[0].groups))]
    weights = [part.source.weight for part in parts]
    sizes = [len(part.groups) for part in parts]
    return mix_rows(weights, sizes, total=mixture.rows, seed=seed)


def lineage_of_parts(
    parts: Sequence[GroupedSource], order: Sequence[tuple[int, int]], mixture: Mixture
) -> dict[str, Any]:
    """Return the entry of the data in the lineage."""
    described = [
        version_lineage(part, [index for at, index in order if at == place])
        for place, part in enumerate(parts)
    ]
    return mixture_lineage(described) if mixture.sources else described[0]


def version_lineage(part: GroupedSource, drawn: Sequence[int]) -> dict[str, Any]:
    """Return the lineage of one version.

    It counts the learned rows, each as often as an epoch uses it.
    """
    roles = part.members["role"]
    numbers = chain.from_iterable(part.groups[index] for index in drawn)
    learned = [number for number in numbers if roles[number] == LEARNED]
    about = dataset_lineage(part.version, part.source.config, len(learned))
    # a version that is not part of a mixture has the weight 1
    if part.source.weight != 1:
        about |= {"weight": round(float(part.source.weight), 6), "distinct_rows": len(set(learned))}
    return about


def mixture_lineage(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the lineage of a mixture as one dataset, with its versions under `parts`."""
    # one hash for all parts, so that a resumed training notices a change in any of them
    hashes = "".join(part["content_sha256"] for part in parts)
    names = {
        key: " + ".join(dict.fromkeys(part[key] for part in parts))
        for key in ("name", "version", "config")
    }
    return {
        **names,
        "content_sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        "rows": sum(part["rows"] for part in parts),
        "parts": list(parts),
    }


def check_needs(parts: Sequence[GroupedSource], plan: Plan) -> None:
    """Check that every loss finds what it needs in at least one source.

    Raises:
        UserError: no source has it. The message names the columns that exist.
    """
    available = set[str]().union(*(available_targets(part) for part in parts))
    for flag, need in plan.needs.items():
        if need.what not in available:
            found = "; ".join(
                f"{part.source.dataset}, config {part.source.config}, has {', '.join(part.columns)}"
                for part in parts
            )
            raise UserError(f"--{flag} needs {need.source}; {found}")


def available_targets(part: GroupedSource) -> set[str]:
    """Return the columns of a source, and what its groups hold besides one learned row."""
    roles = part.members["role"]
    counts = [Counter(roles[number] for number in group) for group in part.groups]
    further = {"label": LABEL, "wrong": WRONG, "candidates": CANDIDATE}
    found = {name for name, role in further.items() if any(count[role] for count in counts)}
    pairs = {"pairs"} if any(count[LEARNED] > 1 for count in counts) else set()
    # the column alone is not enough: a query needs several candidates with scores
    return {*(set(part.columns) - {"candidates"}), *found, *pairs}
