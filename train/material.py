"""What `train sft` learns from: one dataset version or a mixture of several, as groups of rows,
with its lineage."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from train.data import DataArguments
from train.groups import CANDIDATE, LABEL, LEARNED, WRONG, Groups, Part, read_part
from train.mixture import Source, mixed, read_mixture

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTConfig

    from train.sft import SftArguments


@dataclass(frozen=True)
class Material:
    """`groups` hold indices of `members`; `dataset` says in the lineage what they are."""

    members: Dataset
    groups: Groups
    dataset: dict[str, Any]

    @property
    def rows(self) -> Dataset:
        """Prompt and completion of the learned rows alone, in order."""
        return self.members.select([group[0] for group in self.groups]).select_columns(
            ["prompt", "completion"]
        )


def read_material(data: DataArguments, sft: SftArguments, training: SFTConfig) -> Material:
    """The versions that are named, checked, in their proportions. Raises UserError for what is
    missing there."""
    from datasets import concatenate_datasets

    if sft.mixture and data.dataset:
        raise UserError("--dataset and --mixture: give one of the two")
    sources = [Source(data.dataset, data.dataset_config, Fraction(1))]
    if sft.mixture:
        sources = read_mixture(sft.mixture, config=data.dataset_config)
    parts = [read_part(data, source, sft, seed=training.seed) for source in sources]
    check(parts, sft)
    order = [(0, index) for index in range(len(parts[0].groups))]
    if sft.mixture:
        sizes, total = [len(part.groups) for part in parts], sft.mixture_rows or seen(training)
        order = mixed([source.weight for source in sources], sizes, total=total, seed=training.seed)
    first = [sum(len(part.members) for part in parts[:place]) for place in range(len(parts))]
    groups = [
        [first[place] + number for number in parts[place].groups[index]] for place, index in order
    ]
    described = [
        describe(part, [index for at, index in order if at == place])
        for place, part in enumerate(parts)
    ]
    members = concatenate_datasets([part.members for part in parts])
    return Material(members, groups, combined(described) if sft.mixture else described[0])


def seen(training: SFTConfig) -> int | None:
    """How many rows (or groups) the training sees, where it is a number of steps; None where it is
    epochs."""
    if training.max_steps <= 0:
        return None
    batch = (
        training.per_device_train_batch_size
        * training.gradient_accumulation_steps
        * training.world_size
    )
    return training.max_steps * batch


def describe(part: Part, drawn: Sequence[int]) -> dict[str, Any]:
    """One version in the lineage: its learned rows, each as often as it comes in an epoch."""
    from train.student import dataset_lineage

    roles = part.members["role"]
    learned = [
        number for index in drawn for number in part.groups[index] if roles[number] == LEARNED
    ]
    about = dataset_lineage(part.version, part.source.config, len(learned))
    if part.source.weight != 1:
        about |= {"weight": round(float(part.source.weight), 6), "distinct_rows": len(set(learned))}
    return about


def combined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A mixture as one dataset: the names of all, one hash, and under `parts` what each is."""
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


NEEDS: dict[str, tuple[str, str]] = {
    "answer_weight": ("answer", "a column answer, which `datagen rationales` writes"),
    "consistency_weight": (
        "pairs",
        "two rationales of one question: `datagen rationales --samples 8 --keep all`",
    ),
    "label_weight": (
        "label",
        "a config of rationales, and `answers` to the same questions beside it",
    ),
    "contrast_weight": (
        "wrong",
        "wrong rationales of questions that have right ones: `datagen rationales --samples 8`",
    ),
    "counterfactual_weight": (
        "wrong",
        "wrong rationales of questions that have right ones, in the config `rejected`",
    ),
    "preference_weight": (
        "candidates",
        "candidates with scores, which `datagen demonstrations --strategy teacher` writes",
    ),
    "demonstration_weight": (
        "demonstrations",
        "demonstrations: `datagen demonstrations --kind meta-ict`",
    ),
    "long_share": ("rationale", "a column rationale, which `datagen rationales` writes"),
}
"""What a setting looks for, and how it comes about."""


def check(parts: Sequence[Part], sft: SftArguments) -> None:
    """Every loss finds what it compares in some source. Raises UserError that says what is
    there."""
    there = set().union(*(offers(part) for part in parts))
    for setting, (what, source) in NEEDS.items():
        if getattr(sft, setting) is not None and what not in there:
            found = "; ".join(
                f"{part.source.dataset}, config {part.source.config}, has {', '.join(part.columns)}"
                for part in parts
            )
            raise UserError(f"--{setting} needs {source}; {found}")


def offers(part: Part) -> set[str]:
    """What the groups of a source have beside rows to learn, and its columns."""
    roles = part.members["role"]
    counts = [Counter(roles[number] for number in group) for group in part.groups]
    beside = {"label": LABEL, "wrong": WRONG, "candidates": CANDIDATE}
    found = {name for name, role in beside.items() if any(count[role] for count in counts)}
    pairs = {"pairs"} if any(count[LEARNED] > 1 for count in counts) else set()
    return {*(set(part.columns) - {"candidates"}), *found, *pairs}
