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

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.sources.values import kind_of

SHIPPED = Path(__file__).parent / "mappings"


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
    for name, text in names_in(each, where).items():
        filled = {
            key: value.replace("{each}", name).replace("{about}", text)
            if isinstance(value, str)
            else value
            for key, value in entry.items()
        }
        yield task_map(filled, where)


def names_in(each: Any, where: str) -> dict[str, str]:
    """Return the names under `each` with their texts. Raises UserError if they are no names."""
    if not isinstance(each, list | dict):
        raise UserError(f"{where}: the key 'each' must hold a list of names")
    if isinstance(each, dict):
        return {as_text(n, "each", where): as_text(t, "each", where) for n, t in each.items()}
    names = [as_text(name, "each", where) for name in each]
    return {name: name.replace("_", " ") for name in names}


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
    # otherwise both splits would read the same file
    if entry.get("test") and entry.get("file") and "{split}" not in str(entry["file"]):
        raise UserError(f"{where}: with a test split the file's name must hold {{split}}")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if value is None:
            continue  # a key without a value says nothing
        if key in ("options", "choices"):
            values[key] = tuple(as_text(text, key, where) for text in as_list(value))
        else:
            values[key] = as_text(value, key, where)
    return TaskMap(**values)


def as_text(value: Any, key: str, where: str) -> str:
    """Return the text of a key. Raises UserError for anything but a text or a number."""
    if isinstance(value, bool):
        raise UserError(f'{where}: the key {key!r} holds true or false: write "yes" in quotes')
    if not isinstance(value, str | int | float):
        raise UserError(f"{where}: the key {key!r} holds {kind_of(value)}, not a text")
    return str(value)


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]
