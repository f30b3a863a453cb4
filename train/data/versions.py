"""Reading the rows of one dataset version for a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import UserError
from datagen.teacher.tokens import row_tokens

if TYPE_CHECKING:
    from datasets import Dataset

    from datagen.versions import Version

COLUMNS = ("prompt", "completion")
COMMANDS = {
    "answer": "`datagen rationales` writes it",
    "teacher_topk": "`datagen topk` adds it",
    "teacher_topk_prompt": "`datagen topk --prompts` adds it",
}
"""How to get the columns that only some versions have, for error messages."""


@dataclass(frozen=True, kw_only=True)
class DataArguments:
    """What a student is trained on."""

    dataset: str = ""
    """What to train on: NAME@VERSION, NAME for its newest version, or a version's folder. ORG/NAME
    that the store does not have comes from the Hub, at the commit of its tag."""
    dataset_config: str = "rationales"
    """Which of the version's configs."""
    store: str | None = None
    """Folder that holds the versions. Default: $EMERGENT_STORE, else ./datasets."""
    limit: int | None = None
    """Train on this many rows only, the first ones."""


def load_version(
    data: DataArguments, columns: Sequence[str] = (), *, optional: Sequence[str] = ()
) -> tuple[Version, Dataset]:
    """Find the version, check the hashes of its files, and read its rows.

    Args:
        data: which version, config and rows.
        columns: columns that the rows must have besides `prompt` and `completion`.
        optional: columns that are read if they are there.

    Raises:
        UserError: the version or the config is unknown, a file was changed, a column is missing.
    """
    from datagen.versions.locate import locate

    version = locate(data.dataset, store=Path(data.store) if data.store else None)
    rows = open_config(version.path, data.dataset_config)
    further = [name for name in optional if name in rows.column_names and name not in columns]
    return version, training_rows(rows, data, [*columns, *further])


def training_rows(dataset: Dataset, data: DataArguments, columns: Sequence[str] = ()) -> Dataset:
    """Return prompt, completion and `columns` of the first `limit` rows.

    Raises:
        UserError: a column is missing, or there are no rows.
    """
    where = f"{data.dataset}, config {data.dataset_config}"
    missing = [column for column in (*COLUMNS, *columns) if column not in dataset.column_names]
    if missing:
        names = ", ".join(dataset.column_names)
        command = COMMANDS.get(missing[-1])
        found = f"{where}: no column {' or '.join(missing)}; the columns there are {names}"
        raise UserError(found + (f" ({command})" if command else ""))
    if data.limit is not None and data.limit < 1:
        raise UserError(f"--limit {data.limit}: at least one row is needed")
    if not len(dataset):
        raise UserError(f"{where}: no rows to train on")

    kept = len(dataset) if data.limit is None else min(data.limit, len(dataset))
    return dataset.select_columns([*COLUMNS, *columns]).select(range(kept))


def open_config(folder: Path, config: str) -> Dataset:
    """Return the `train` split of one config of a version's folder.

    Raises:
        UserError: the version has no such config.
    """
    from datasets import get_dataset_config_names, load_dataset
    from datasets.utils.logging import disable_progress_bar

    from datagen.versions.local import open_version

    # a single file is read, and a progress bar would interrupt the log
    disable_progress_bar()
    configs = get_dataset_config_names(str(folder))
    if config not in configs:
        version = open_version(folder)
        name = f"{version.name} {version.version}"
        raise UserError(f"{name} has no config {config!r}; its configs are {', '.join(configs)}")
    return load_dataset(str(folder), config, split="train")


def dataset_lineage(version: Version, config: str, rows: int) -> dict[str, Any]:
    """Return the lineage of one version: name, hash, config, rows, and its commit on the Hub."""
    return {
        "name": version.name,
        "version": version.version,
        **({"commit": version.commit} if version.commit else {}),
        "content_sha256": version.content_sha256,
        "config": config,
        "rows": rows,
    }


def cut_rows(
    dataset: Dataset, tokenizer: Any, *, max_length: int | None, workers: int | None
) -> tuple[int, int]:
    """Count the rows that are too long and will be cut.

    Args:
        dataset: prompt and completion, conversational.
        tokenizer: with the chat template.
        max_length: in tokens.
        workers: processes that count.

    Returns:
        How many rows have more than `max_length` tokens, and how many of these have a prompt of at
        least that length. If truncation keeps the start, those lose their whole completion.
    """
    if max_length is None:
        return 0, 0

    def too_long(row: dict[str, Any]) -> bool:
        return sum(map(len, row_tokens(row, tokenizer))) > max_length

    def all_prompt(row: dict[str, Any]) -> bool:
        return len(row_tokens(row, tokenizer)[0]) >= max_length

    cut = dataset.filter(too_long, num_proc=workers, load_from_cache_file=False)
    return len(cut), len(cut.filter(all_prompt, load_from_cache_file=False))
