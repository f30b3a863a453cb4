"""Reading a lineage: what a version is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.schema import FAMILIES

FORMAT = 3
"""Of the lineage: 3 holds a run for each family. 2 held one, whose facts stood beside the
version's, and is read so."""


VERSION_KEYS = ("name", "hub", "version", "created", "previous", "files", "content_sha256")
"""What is a version's; all else belongs to one of its runs."""


RUN_KEYS = (
    *(
        "method",
        "license",
        "language",
        "teacher",
        "terms",
        "source",
        "settings",
        "prompts",
        "code",
        "counts",
    ),
    *("quality", "histograms", "usage", "configs", "content_sha256"),
)


CONFIG_KEYS = ("method", "code_version", "teacher", "source", "settings")


def family_of(configs: Iterable[str]) -> str:
    """The family that has these configs of accepted rows."""
    wanted = {config for config in configs if config != "rejected"}
    return next(family for family, its in FAMILIES.items() if wanted <= set(its))


def content_of(runs: dict[str, dict[str, Any]]) -> str:
    """One hash over the content of all runs, whichever came first; that of a single run is its
    own.
    """
    hashes = {family: run["content_sha256"] for family, run in runs.items()}
    if len(hashes) == 1:
        return str(*hashes.values())
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def content_sha256(method: str, configs: dict[str, dict[str, Any]]) -> str:
    """One hash over a run's method and every config's columns and rows, as `describe` gives them;
    not over the bytes of the Parquet files: another release of the writer is no new version.
    """
    digests = [
        method,
        {name: [config["columns"], config["rows_sha256"]] for name, config in configs.items()},
    ]
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def read_lineage(folder: Path) -> dict[str, Any]:
    """The lineage of a version, in today's form.

    Raises UserError where it is damaged, or of a form that is no more.
    """
    file = folder / "lineage.json"
    lineage = read_json(file, VERSION_KEYS[:1] + VERSION_KEYS[2:])
    if lineage.get("format") not in (2, FORMAT):
        raise UserError(
            f"{lineage['name']}@{lineage['version']} has a lineage of format "
            f"{lineage.get('format')}, and this release "
            f"reads 2 and {FORMAT}: publish its run anew, under another name"
        )
    return (
        lineage if lineage["format"] == FORMAT else of_one_run(lineage, read_json(file, RUN_KEYS))
    )


def of_one_run(lineage: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """A lineage of format 2 in the form of 3."""
    runs = {family_of(run["configs"]): {key: run[key] for key in RUN_KEYS}}
    return {"format": 2} | {key: lineage.get(key) for key in VERSION_KEYS} | {"runs": runs}


def read_json(file: Path, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object. Raises UserError where it cannot be read, or lacks one of the keys."""
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
    missing = (
        [key for key in keys if key not in value] if isinstance(value, dict) else ["a JSON object"]
    )
    if missing:
        raise UserError(f"{file} is damaged: it lacks {', '.join(missing)}")
    return value
