"""The dataset card, rendered from the lineage of a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from cards.figures import accuracy_by_k, charts
from cards.graph import graph, source_name
from cards.licenses import license_fields
from cards.limits import languages, limits
from cards.render import inline, number, render
from datagen.records.lineage import configs_of

TASKS = {"rationales": ["text-generation", "question-answering"]}
"""Task categories of the Hub, by method. The other methods have text-generation alone."""
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
"""Size categories of the Hub: each holds below this number of rows."""
ABOUT = {
    "rationales": "chains of thought: questions, and how a language model reasons to their answers",
    "instructions": "instructions, and a language model's responses",
    "demonstrations": "in-context learning episodes: demonstrations of a task, a query, "
    "and its answer",
}
"""The contents of a family's rows, by the first config of the family."""
FACTS = (
    "answer",
    "gold",
    "agreement",
    "task",
    "k",
    "nearest_similarity",
    "operation",
    "round",
    "score",
    "detail",
)
"""Columns that are shown above the text of a sample, unless they are null."""
SHOWN = ("id", *FACTS, "reason", "instruction", "prompt", "completion")
"""Columns of a row that a sample needs."""


def dataset_card(lineage: Mapping[str, Any]) -> str:
    """Return the README.md of a version, with a section for each of its runs.

    Every number of the card comes from the lineage.

    Args:
        lineage: the JSON object of the lineage. It needs no `files`, because the card is one of
            them.
    """
    # `datasets` cannot open a config without rows
    configs = {name: config for name, config in configs_of(lineage).items() if config["rows"]}
    first = next(iter(configs))
    return render(
        "dataset.md",
        header=header(lineage, configs, first),
        lineage=lineage,
        configs=configs,
        address=address(lineage, first),
        sections=[section(family, run) for family, run in lineage["runs"].items()],
        facts=facts,
    )


def section(family: str, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template needs to know of a run."""
    first = next(iter(run["configs"]))
    return {
        "family": family,
        "run": run,
        "rows": run["configs"][first]["rows"],
        "about": ABOUT.get(first, "rows that a language model wrote"),
        "source": source_name(run["source"]),
        "settings": settings(run["settings"]),
        "charts": charts(family, run),
        "graph": graph(run),
        "by_k": accuracy_by_k(run["quality"]),
        "limits": limits(run),
        "languages": languages(run),
    }


def header(lineage: Mapping[str, Any], configs: Mapping[str, Any], first: str) -> dict[str, Any]:
    """Return the metadata that the Hub reads."""
    runs = list(lineage["runs"].values())
    # rejected rows are published, but they are no rows to train on
    kept = sum(config["rows"] for name, config in configs.items() if name != "rejected")
    return {
        "pretty_name": lineage["name"],
        **license_fields([run["license"] for run in runs]),
        "language": distinct(run["language"] for run in runs),
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "size_categories": [size_category(kept)],
        "source_datasets": distinct(run["source"].get("hub") for run in runs),
        "task_categories": distinct(chain.from_iterable(map(tasks_of, runs))),
        "tags": distinct(["synthetic", "distillation", *(run["method"] for run in runs)]),
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": "train", "path": paths_of(name, config)}],
            }
            | ({"default": True} if name == first else {})
            for name, config in configs.items()
        ],
        # only where families differ in columns: otherwise `datasets` finds them in the files
        "dataset_info": [
            {"config_name": name, "features": features_of(config)}
            for name, config in configs.items()
            if len(config["runs"]) > 1
        ],
    }


def tasks_of(run: Mapping[str, Any]) -> list[str]:
    """Return the task categories of a run."""
    return TASKS.get(run["method"], ["text-generation"])


def distinct(values: Iterable[Any]) -> list[Any]:
    """Return the values in their order, without repetitions and empty values."""
    return [value for value in dict.fromkeys(values) if value]


def features_of(config: Mapping[str, Any]) -> list[Any]:
    """Return the columns of a config whose families have different columns.

    `datasets` fills the columns that a file lacks with nulls, if the card names them all.
    """
    found = chain.from_iterable(its["features"] for its in config["runs"].values())
    # by name: families share most columns
    return list({column["name"]: column for column in found}.values())


def address(lineage: Mapping[str, Any], config: str) -> str:
    """Return the arguments of `load_dataset`: name and tag on the Hub, or a folder in a store."""
    if lineage.get("hub"):
        return f'"{lineage["name"]}", "{config}", revision="v{lineage["version"]}"'
    return f'"STORE/{lineage["name"]}/{lineage["version"]}", "{config}"'


def settings(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings as the table shows them.

    The card shows the text of templates and shots with the prompts. So the table has only the
    number of shots.
    """
    stated = {name: value for name, value in values.items() if name not in ("templates", "shots")}
    if shots := values.get("shots"):
        stated["shots"] = shots if isinstance(shots[0], int) else len(shots)
    return {name: format_setting(value) for name, value in stated.items()}


def format_setting(value: Any) -> str:
    """Return a setting as a cell: a list with commas, a dash for nothing."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "-" if value in (None, "") else str(value)


def facts(row: Mapping[str, Any]) -> str:
    """Return the known facts of a sample, in one line."""
    known = [
        (name.replace("_", " "), row[name]) for name in ("id", *FACTS) if row.get(name) is not None
    ]
    return ", ".join(
        f"{name} {inline(v, 100) if isinstance(v, str) else number(v)}" for name, v in known
    )


def paths_of(name: str, config: Mapping[str, Any]) -> str | list[str]:
    """Return the files of a config, whose names contain the hash of their run's rows."""
    hashes = [its["rows_sha256"][:16] for its in config["runs"].values() if its["rows"]]
    paths = [f"{name}/*-{digest}.parquet" for digest in hashes]
    return paths[0] if len(paths) == 1 else paths


def size_category(rows: int) -> str:
    """Return the size category of the Hub.

    Args:
        rows: all rows to train on, those of every config but `rejected`.

    Example:
        >>> size_category(1_000)
        '1K<n<10K'
    """
    return next((name for limit, name in SIZES if rows < limit), "n>1B")
