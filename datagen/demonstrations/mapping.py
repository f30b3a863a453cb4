"""Tasks from any dataset: a YAML file names the columns of input and output.

    - task: reviews/polarity
      file: reviews.jsonl            # beside the YAML file or below the data root; or hub: ORG/NAME
      input: "{title}: {text}"       # columns in braces
      output: label
      options: [negative, positive]  # texts of the labels 0 and 1
      description: Say whether a review is positive or negative.

Mappings of GLUE, SuperGLUE, MMLU and BIG-Bench Hard are shipped. Only the files of BIG-Bench Hard
were read when this was written. The names of the others on the Hub were not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from datagen.demonstrations.pools import QUERIES, Example, Pool, divide, example
from datagen.errors import UserError
from datagen.sources.files import SUFFIXES, Record, first_line, read_records
from datagen.suites.question import render

SHIPPED = Path(__file__).parent / "mappings"
CONVERTED = "refs/convert/parquet"
"""The Hub's revision with Parquet files of datasets that have a loading script. It has one folder
for each config, and no card that names them."""
COLUMN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class TaskMap:
    """One task of a mapping file."""

    task: str
    input: str
    """Text with the names of columns in braces."""
    output: str
    """Column of the output."""
    family: str = ""
    """Tasks of one family differ only in their parameters or their subject. Default: the task is a
    family of its own."""
    description: str = ""
    """What to do, in one sentence."""
    options: tuple[str, ...] = ()
    """Texts of the labels 0, 1, ..., or all texts that the output column holds."""
    choices: tuple[str, ...] = ()
    """Columns with the texts to choose from, or one column with a list of them. The texts are
    written below the input. The output is a number from 0 or a letter, and becomes "(A)"."""
    hub: str = ""
    """Dataset on the Hub."""
    config: str = ""
    """Config of the dataset on the Hub."""
    revision: str = ""
    """Branch, tag or commit on the Hub. Default: the newest."""
    file: str = ""
    """File or dataset folder; {split} in it stands for the split. Default: TASK/SPLIT.jsonl (.json,
    .csv, ...)."""
    train: str = "train"
    """Split on the Hub with candidates and training queries."""
    test: str = ""
    """Split of the test queries. Default: they are taken from `train`."""


def read_mapping(name: str | Path) -> tuple[Path | None, list[TaskMap]]:
    """Return the tasks of a mapping file.

    Args:
        name: of a shipped mapping, or a YAML file.

    Returns:
        The folder of the file (None for a shipped mapping), and the tasks.

    Raises:
        UserError: the file cannot be read, or an entry is no task.
    """
    import yaml

    own = shipped_mapping(name)
    path = own or Path(name)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"the mapping {path} cannot be read: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: a list of tasks is wanted, each with task, input and output")

    tasks: list[TaskMap] = []
    for number, entry in enumerate(entries, 1):
        tasks += expand(entry, f"{path}, entry {number}")
    return None if own else path.parent, tasks


def shipped_mapping(name: str | Path) -> Path | None:
    """Return the file of a shipped mapping, or None if there is none of that name."""
    path = SHIPPED / f"{name}.yaml"
    return path if path.is_file() else None


def names() -> list[str]:
    """Return the names of the shipped mappings."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def expand(entry: Any, where: str) -> Iterator[TaskMap]:
    """Yield the tasks of an entry: one, or one for each name under `each`.

    Args:
        entry: of the YAML file. {each} in its texts stands for a name. {about} stands for the text
            that `each` gives for the name; without such a text, for the name with spaces.
        where: file and number of the entry, for messages.
    """
    if not isinstance(entry, dict):
        raise UserError(f"{where}: not a task with keys but {type(entry).__name__}")
    entry = dict(entry)
    each = entry.pop("each", None)
    if each is None:
        yield task_map(entry, where)
        return
    about = each if isinstance(each, dict) else {name: name.replace("_", " ") for name in each}
    for name, text in about.items():
        filled = {
            key: value.replace("{each}", name).replace("{about}", text)
            if isinstance(value, str)
            else value
            for key, value in entry.items()
        }
        yield task_map(filled, where)


def task_map(entry: dict[str, Any], where: str) -> TaskMap:
    """Return the task of an entry. Raises UserError for unknown, missing or contradictory keys."""
    known = {field.name: field for field in fields(TaskMap)}
    for key in entry:
        if key not in known:
            raise UserError(
                f"{where}: unknown key {key!r}; the keys are {', '.join(known)} and each"
            )
    for key, field in known.items():
        if field.default is MISSING and not entry.get(key):
            raise UserError(f"{where}: the key {key!r} is missing")
    if entry.get("test") and entry.get("file") and "{split}" not in str(entry["file"]):
        raise UserError(f"{where}: with a test split the file's name must hold {{split}}")
    values: dict[str, Any] = {key: str(value) for key, value in entry.items()}
    for key in ("options", "choices"):
        if key in entry:
            values[key] = tuple(map(str, as_list(entry[key])))
    return TaskMap(**values)


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def mapped_pool(
    task: TaskMap,
    folder: Path | None,
    *,
    data_root: Path | None = None,
    queries: int = QUERIES,
    candidates: int | None = None,
    seed: int = 0,
    limit: int | None = None,
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

    Raises:
        UserError: the rows cannot be read, or lack a column.
    """

    def examples(split: str) -> list[Example]:
        rows = islice(open_split(task, split, folder, data_root), limit)
        found = [read_example(task, record, where) for where, record in rows]
        return [made for made in found if made is not None]

    return divide(
        task.task,
        examples("train"),
        test=examples("test") if task.test else (),
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
    text = COLUMN.sub(lambda match: str(column(task, record, match[1], where)), task.input).strip()
    value = column(task, record, task.output, where)
    if task.choices:
        options: list[str] = []
        for name in task.choices:
            options += map(str, as_list(column(task, record, name, where)))
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
    text = "" if value is None or value == -1 else str(value).strip()
    if not task.options or text in task.options or not text:
        return text
    number = int(value) if isinstance(value, bool) or text.isdecimal() else len(task.options)
    if not 0 <= int(number) < len(task.options):
        raise UserError(
            f"{where}: {text[:40]!r} is no label of task {task.task}, whose options are "
            f"{', '.join(task.options)}"
        )
    return task.options[int(number)]


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
