"""The pool of a mapped task: its rows, from local files or from the Hub, as examples."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from datagen.demonstrations.mapping import TaskMap, as_list
from datagen.demonstrations.pools import QUERIES, Example, Pool, divide, example, repeated
from datagen.errors import UserError
from datagen.sources.files import SUFFIXES, first_line, read_records
from datagen.sources.formats import Record
from datagen.sources.tally import SourceTally
from datagen.sources.values import text_in
from datagen.suites.question import render

CONVERTED = "refs/convert/parquet"
"""The Hub's revision with Parquet files of datasets that have a loading script. It has one folder
for each config, and no card that names them."""
COLUMN = re.compile(r"\{(\w+)\}")


def mapped_pool(
    task: TaskMap,
    folder: Path | None,
    *,
    data_root: Path | None = None,
    queries: int = QUERIES,
    candidates: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    tally: SourceTally | None = None,
) -> Pool:
    """Return the pool of a task.

    Args:
        task: of a mapping.
        folder: of the mapping file; its `file` is looked for there.
        data_root: folder with local files. Default: files come from the Hub.
        queries: see `divide`.
        candidates: see `divide`.
        seed: see `divide`.
        limit: read only the first rows of each split.
        tally: counts the rows that are left out.

    Raises:
        UserError: the rows cannot be read, or lack a column.
    """
    tally = tally or SourceTally()

    def examples(split: str) -> list[Example]:
        rows = islice(open_split(task, split, folder, data_root), limit)
        found = [read_example(task, record, where) for where, record in rows]
        made = [example for example in found if example is not None]
        tally.rows += len(found)
        tally.left_out["no_input_or_output"] += len(found) - len(made)
        return made

    train = examples("train")
    test = examples("test") if task.test else []
    tally.repeats += repeated(train + test)
    return divide(
        task.task,
        train,
        test=test,
        queries=queries,
        candidates=candidates,
        seed=seed,
        description=task.description,
        options=task.options,
        family=task.family,
    )


def open_split(
    task: TaskMap, split: str, folder: Path | None, data_root: Path | None
) -> Iterable[tuple[str, Record]]:
    """Return (where, record) of each row of a split: from a local file, else from the Hub.

    Raises:
        UserError: there is no local file, and the Hub is not to be asked or cannot be reached.
    """
    # the data root comes first: it is given for this run
    roots = [root for root in (data_root, folder if task.file else None) if root is not None]
    names = local_names(task, split)
    for root in roots:
        for name in names:
            if (root / name).exists():
                return read_records(root / name)
    if data_root is not None or not task.hub:
        looked = " or ".join(str(root / names[0]) for root in roots) or "--data-root"
        raise UserError(f"task {task.task}: there is no file {looked} for its {split} split")
    return from_hub(task, task.test if split == "test" else task.train)


def local_names(task: TaskMap, split: str) -> list[str]:
    """Return the names that a local file of a split may have."""
    if task.file:
        name = task.file.replace("{split}", split)
        return [name, Path(name).name]
    return [f"{task.task}/{split}{suffix}" for suffix in SUFFIXES]


def load_rows(task: TaskMap, split: str) -> Iterable[Record]:
    """Return the rows of a split. Raises whatever the network, the Hub or the loader raises."""
    from datasets import load_dataset

    if task.revision == CONVERTED:
        folder = task.config or None
        return load_dataset(task.hub, data_dir=folder, split=split, revision=CONVERTED)
    config = task.config or None
    return load_dataset(task.hub, config, split=split, revision=task.revision or None)


def from_hub(task: TaskMap, split: str) -> Iterable[tuple[str, Record]]:
    """Return (where, record) of each row of a split on the Hub. Raises UserError."""
    try:
        rows = load_rows(task, split)
    except Exception as error:
        # the network, the Hub and the loader raise many types; a person needs one line
        raise UserError(
            f"cannot load {task.hub} for task {task.task}: {first_line(error)} (--data-root "
            "reads local files)"
        ) from error
    return ((f"{task.hub} {split} row {place}", row) for place, row in enumerate(rows))


def read_example(task: TaskMap, record: Record, where: str) -> Example | None:
    """Return the example of a record.

    Returns:
        None for a record without an input or without a label. Published test splits hide their
        labels, and say -1.
    """
    values = {
        name: text_in(column(task, record, name, where), name, where)
        for name in COLUMN.findall(task.input)
    }
    if None in values.values():
        return None
    text = COLUMN.sub(lambda match: values[match[1]] or "", task.input).strip()
    value = column(task, record, task.output, where)
    if task.choices:
        options: list[str] = []
        for name in task.choices:
            texts = as_list(column(task, record, name, where))
            options += [text_in(text, name, where) or "" for text in texts]
        text = f"{text}\nOptions:\n{render(options)}"
        output = letter(value, len(options))
    else:
        output = label(task, value, where)
    return example(task.task, text, output) if text and output else None


def column(task: TaskMap, record: Record, name: str, where: str) -> Any:
    """Return the value of a column. Raises UserError if the record lacks it."""
    if name not in record:
        raise UserError(
            f"{where}: no column {name!r}, which task {task.task} asks for; the columns are "
            f"{', '.join(record)}"
        )
    return record[name]


def label(task: TaskMap, value: Any, where: str) -> str:
    """Return the text of an output; "" if there is none. Raises UserError for an unknown label."""
    # -1 is how datasets hide the labels of a test split
    if isinstance(value, bool) and task.options:
        value = int(value)
    text = "" if value == -1 else (text_in(value, task.output, where) or "").strip()
    if not task.options or text in task.options or not text:
        return text
    number = int(text) if text.isdecimal() else len(task.options)
    if not 0 <= number < len(task.options):
        raise UserError(
            f"{where}: {text[:40]!r} is no label of task {task.task}, whose options are "
            f"{', '.join(task.options)}"
        )
    return task.options[number]


def letter(value: Any, options: int) -> str:
    """Return "(B)" for 1, "1", "B", "b" or "(B)"; "" for a value that names no option.

    Args:
        value: of the output column.
        options: how many there are.
    """
    text = str(value).strip().strip("()").upper()
    if text.isdecimal():
        place = int(text)
    elif len(text) == 1:
        place = ord(text) - ord("A")
    else:
        place = -1
    return f"({chr(ord('A') + place)})" if 0 <= place < options else ""
