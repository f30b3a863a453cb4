"""The dataset card, from a version's lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cards.licenses import license_fields
from cards.render import render

TASKS = {"rationales": ["text-generation", "question-answering"]}
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)


def dataset_card(lineage: Mapping[str, Any], samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """README.md of a version. `samples`: a few rows of each config, shown as they are, as text."""
    configs = {name: config for name, config in lineage["configs"].items() if config["rows"]}  # none opens without rows
    kept = sum(config["rows"] for name, config in configs.items() if name != "rejected")
    first = next(iter(configs))
    header = {
        "pretty_name": lineage["name"],
        **license_fields(lineage["license"]),
        "language": [lineage["language"]] if lineage["language"] else None,
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "size_categories": [size_category(kept)],
        "source_datasets": [lineage["source"]["hub"]] if lineage["source"].get("hub") else None,
        "task_categories": TASKS.get(lineage["method"], ["text-generation"]),
        "tags": ["synthetic", "distillation", lineage["method"]],
        "configs": [
            {"config_name": name, "data_files": [{"split": "train", "path": path_of(name, config)}]}
            | ({"default": True} if name == first else {})
            for name, config in configs.items()
        ],
    }
    return render("dataset.md", header=header, lineage=lineage, samples=samples, first=first, kept=kept)


def path_of(name: str, config: Mapping[str, Any]) -> str:
    """The files of a config, by the hash of its rows."""
    return f"{name}/*-{config['rows_sha256'][:16]}.parquet"


def size_category(rows: int) -> str:
    return next((name for limit, name in SIZES if rows < limit), "n>1B")
