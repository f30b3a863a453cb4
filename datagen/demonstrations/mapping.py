"""Tasks from any dataset: a YAML file says which columns are the input and the output.

    - task: reviews/polarity
      file: reviews.jsonl            # beside the YAML file or below the data root; or hub: ORG/NAME
      input: "{title}: {text}"       # columns in braces
      output: label
      options: [negative, positive]  # texts of the labels 0 and 1
      description: Say whether a review is positive or negative.

Mappings of GLUE, SuperGLUE, MMLU and BIG-Bench Hard are shipped. The ids on the Hub are believed
right; only the files of BIG-Bench Hard were read when this was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from datagen.demonstrations.pools import QUERIES, Example, Pool, divide, example
from datagen.errors import UserError
from datagen.sources.files import SUFFIXES, Record, first_line, read_records
from datagen.suites.question import render

SHIPPED = Path(__file__).parent / "mappings"
CONVERTED = "refs/convert/parquet"
"""The revision in which the Hub keeps what a script made: a folder a config, and no card that names
them."""
COLUMN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class TaskMap:
    """One task of a mapping file."""

    task: str
    input: str
    """Text with the columns it holds in braces."""
    output: str
    """Column."""
    family: str = ""
    """Tasks of one family differ in their parameters or their subject only; by default the task is
    its own."""
    description: str = ""
    """What to do, in a sentence."""
    options: tuple[str, ...] = ()
    """Texts of the labels 0, 1, ...; or all texts that the output column holds."""
    choices: tuple[str, ...] = ()
    """Columns with the texts to choose from, or one that holds a list of them. They are written
    below the input, and the output, a number from 0 or a letter, becomes "(A)"."""
    hub: str = ""
    """Dataset on the Hub."""
    config: str = ""
    revision: str = ""
    file: str = ""
    """File or dataset folder; {split} in it stands for the split. Without it, TASK/SPLIT.jsonl
    (.json, .csv, ...)."""
    train: str = "train"
    """Split on the Hub of candidates and training queries."""
    test: str = ""
    """Split of the test queries; without it they are taken from `train`."""


def read_mapping(name: str | Path) -> tuple[Path | None, list[TaskMap]]:
    """The folder and the tasks of a mapping file; of a shipped one, by name, no folder.

    Raises UserError.
    """
    import yaml

    own = shipped(name)
    path = own or Path(name)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"the mapping {path} cannot be read: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: a list of tasks is wanted, each with task, input and output")
    return None if own else path.parent, [
        task for n, entry in enumerate(entries, 1) for task in expand(entry, f"{path}, entry {n}")
    ]


def shipped(name: str | Path) -> Path | None:
    path = SHIPPED / f"{name}.yaml"
    return path if path.is_file() else None


def names() -> list[str]:
    """The shipped mappings."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def expand(entry: Any, where: str) -> Iterator[TaskMap]:
    """The tasks of an entry: one, or one for each name under `each`, put where {each} stands.

    Where `each` gives names with a text, {about} is the text, else it is the name with spaces.
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
        yield task_map({key: put_name(value, name, text) for key, value in entry.items()}, where)


def put_name(value: Any, name: str, about: str) -> Any:
    """A text with the task's name and subject in their places; any other value as it is."""
    if not isinstance(value, str):
        return value
    return value.replace("{each}", name).replace("{about}", about)


def task_map(entry: dict[str, Any], where: str) -> TaskMap:
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
    values = {key: tuple(map(str, listed(value))) if key in ("options", "choices") else str(value)
              for key, value in entry.items()}  # fmt: skip
    return TaskMap(**values)  # type: ignore[arg-type]


def listed(value: Any) -> list[Any]:
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
    """The pool of a task whose mapping lies in `folder`, of the first `limit` rows.

    Raises UserError.
    """
    from itertools import islice

    def examples(split: str) -> list[Example]:
        rows = islice(open_split(task, split, folder, data_root), limit)
        return [made for where, record in rows if (made := read_example(task, record, where))]

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
    """(where, record) from a local file where there is one, else from the Hub."""
    roots = [root for root in (data_root, folder if task.file else None) if root is not None]
    for path in (root / name for root in roots for name in local_names(task, split)):
        if path.exists():
            return read_records(path)
    if data_root is not None or not task.hub:
        looked = (
            " or ".join(str(root / local_names(task, split)[0]) for root in roots) or "--data-root"
        )
        raise UserError(f"task {task.task}: there is no file {looked} for its {split} split")
    return from_hub(task, task.test if split == "test" else task.train)


def local_names(task: TaskMap, split: str) -> list[str]:
    if task.file:
        name = task.file.replace("{split}", split)
        return [name, Path(name).name]
    return [f"{task.task}/{split}{suffix}" for suffix in SUFFIXES]


def from_hub(task: TaskMap, split: str) -> Iterable[tuple[str, Record]]:
    from datasets import load_dataset

    try:
        if task.revision == CONVERTED:
            rows = load_dataset(
                task.hub, data_dir=task.config or None, split=split, revision=CONVERTED
            )
        else:
            rows = load_dataset(
                task.hub, task.config or None, split=split, revision=task.revision or None
            )
    except (
        Exception
    ) as error:  # whatever the network, the Hub or the loader raises: the person needs one line
        raise UserError(
            f"cannot load {task.hub} for task {task.task}: {first_line(error)} (--data-root "
            "reads local files)"
        ) from error
    return ((f"{task.hub} {split} row {place}", row) for place, row in enumerate(rows))


def read_example(task: TaskMap, record: Record, where: str) -> Example | None:
    """The example of a record; None for one without a label (published test splits say -1) or
    without an input.
    """
    text = COLUMN.sub(lambda match: str(column(task, record, match[1], where)), task.input).strip()
    value = column(task, record, task.output, where)
    if task.choices:
        held = [column(task, record, name, where) for name in task.choices]
        options = [str(text) for one in held for text in listed(one)]
        text, output = f"{text}\nOptions:\n{render(options)}", letter(value, len(options))
    else:
        output = label(task, value, where)
    return example(task.task, text, output) if text and output else None


def column(task: TaskMap, record: Record, name: str, where: str) -> Any:
    if name not in record:
        raise UserError(
            f"{where}: no column {name!r}, which task {task.task} asks for; the columns are "
            f"{', '.join(record)}"
        )
    return record[name]


def label(task: TaskMap, value: Any, where: str) -> str:
    """The text of an output."""
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
    """The letter "(B)" of 1, "1", "B" or "b"; empty for an unlabelled one."""
    text = str(value).strip().strip("()").upper()
    place = int(text) if text.isdecimal() else ord(text) - ord("A") if len(text) == 1 else -1
    return f"({chr(ord('A') + place)})" if 0 <= place < options else ""
