"""From a dataset version to what a trainer wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.teacher.tokens import token_ids

if TYPE_CHECKING:
    from datasets import Dataset

    from datagen.versions import Version

COLUMNS = ("prompt", "completion")
SOURCES = {
    "answer": "`datagen rationales` writes it",
    "teacher_topk": "`datagen topk` adds it",
    "teacher_topk_prompt": "`datagen topk --prompts` adds it",
}
"""Of columns that only some versions have: how they come about."""


@dataclass(frozen=True, kw_only=True)
class DataArguments:
    """What a student is trained on: exactly one version."""

    dataset: str = ""
    """What to train on: NAME@VERSION, NAME for its newest version, or a version's folder. ORG/NAME
    that the store has not comes from the Hub, at the commit of its tag."""
    dataset_config: str = "rationales"
    """Which of the version's configs."""
    store: str | None = None
    """Folder that holds the versions; default $EMERGENT_STORE, else ./datasets."""
    limit: int | None = None
    """Train on the first rows only, this many."""


def load_version(
    data: DataArguments, columns: Sequence[str] = (), *, optional: Sequence[str] = ()
) -> tuple[Version, Dataset]:
    """The version that is named, its files checked against their hashes, and its rows: `prompt`,
    `completion`, what `columns` names, and what of `optional` there is.

    Raises UserError for an unknown version or config, changed files and missing columns.
    """
    from datagen.versions.locate import locate

    version = locate(data.dataset, store=Path(data.store) if data.store else None)
    rows = open_config(version.path, data.dataset_config)
    there = [column for column in optional if column in rows.column_names and column not in columns]
    return version, training_rows(rows, data, [*columns, *there])


def training_rows(dataset: Dataset, data: DataArguments, columns: Sequence[str] = ()) -> Dataset:
    """Prompt, completion and `columns` of the first `limit` rows. Raises UserError for missing
    columns, and for no rows."""
    where = f"{data.dataset}, config {data.dataset_config}"
    missing = [column for column in (*COLUMNS, *columns) if column not in dataset.column_names]
    if missing:
        there, source = ", ".join(dataset.column_names), SOURCES.get(missing[-1])
        found = f"{where}: no column {' or '.join(missing)}; the columns there are {there}"
        raise UserError(found + (f" ({source})" if source else ""))
    if data.limit is not None and data.limit < 1:
        raise UserError(f"--limit {data.limit}: at least one row is needed")
    if not len(dataset):
        raise UserError(f"{where}: no rows to train on")
    kept = len(dataset) if data.limit is None else min(data.limit, len(dataset))
    return dataset.select_columns([*COLUMNS, *columns]).select(range(kept))


def open_config(folder: Path, config: str) -> Dataset:
    """The `train` split of one config of a version folder."""
    from datasets import get_dataset_config_names, load_dataset
    from datasets.utils.logging import disable_progress_bar

    from datagen.versions.local import open_version

    disable_progress_bar()
    configs = get_dataset_config_names(str(folder))
    if config not in configs:
        version = open_version(folder)
        raise UserError(
            f"{version.name} {version.version} has no config {config!r}: there are {', '.join(configs)}"
        )
    return load_dataset(str(folder), config, split="train")


def cut_rows(
    dataset: Dataset, tokenizer: Any, *, max_length: int | None, workers: int | None
) -> tuple[int, int]:
    """How many rows have more than `max_length` tokens, chat template included, and will be cut;
    and how many of these have a prompt of that length, so that where the start is kept nothing of
    the completion is."""
    if max_length is None:
        return 0, 0

    def too_long(row: dict[str, Any]) -> bool:
        return len(token_ids(row["prompt"] + row["completion"], tokenizer)) > max_length

    def all_prompt(row: dict[str, Any]) -> bool:
        return len(token_ids(row["prompt"], tokenizer, add_generation_prompt=True)) >= max_length

    cut = dataset.filter(too_long, num_proc=workers, load_from_cache_file=False)
    return len(cut), len(cut.filter(all_prompt, load_from_cache_file=False))


def teaches_to_stop(dataset: Dataset, tokenizer: Any, ends: set[int]) -> bool:
    """Whether the first row's completion holds a token that ends generation."""
    row = dataset[0]
    if isinstance(row["prompt"], str):  # plain text: the trainer adds the end itself
        return True
    prompt = token_ids(row["prompt"], tokenizer, add_generation_prompt=True)
    return not ends.isdisjoint(
        token_ids(row["prompt"] + row["completion"], tokenizer)[len(prompt) :]
    )
