"""Reading the lineage of a version: what the version was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datagen.errors import UserError
from datagen.schema import FAMILIES

FORMAT = 3
"""Format of a lineage. Format 3 holds one run for each family. Format 2 held one run, with its
facts next to those of the version; it is still read."""
OLD_FORMAT = 2

VERSION_HASH = "version_sha256"
"""Key of the hash over the whole version. Earlier releases did not write it."""

VERSION_KEYS = ("name", "hub", "version", "created", "previous", "files", "content_sha256")
"""Keys of a version. All other keys belong to one of its runs."""

RUN_KEYS = (
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
    "quality",
    "histograms",
    "usage",
    "configs",
    "content_sha256",
)
"""Keys that every run of a lineage has, in both formats."""

CONFIG_KEYS = ("method", "code_version", "teacher", "source", "settings")
"""Keys that the config.json of every run folder has."""


def family_of(configs: Iterable[str]) -> str:
    """Return the family that has these configs of accepted rows."""
    wanted = {config for config in configs if config != "rejected"}
    return next(family for family, its in FAMILIES.items() if wanted <= set(its))


def content_of(runs: dict[str, dict[str, Any]]) -> str:
    """Return one hash over the content of all runs of a version.

    The hash does not depend on the order in which the runs were published.

    Args:
        runs: the runs of a lineage, by family.
    """
    hashes = {family: run["content_sha256"] for family, run in runs.items()}
    # as in format 2, whose versions had one run: they keep their hash
    if len(hashes) == 1:
        return str(*hashes.values())
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def content_sha256(method: str, configs: dict[str, dict[str, Any]]) -> str:
    """Return one hash over a run's method and the columns and rows of its configs.

    The bytes of the Parquet files do not count: another release of their writer makes no new
    version.

    Args:
        method: the name of the method.
        configs: what `datagen.versions.parquet.describe` returned, by config.
    """
    hashes = {name: [config["columns"], config["rows_sha256"]] for name, config in configs.items()}
    return hashlib.sha256(json.dumps([method, hashes], sort_keys=True).encode()).hexdigest()


def version_sha256(lineage: dict[str, Any]) -> str:
    """Return one hash over all that a version states and holds.

    It covers every key of the lineage but the hash itself. One of the keys, `files`, has the hashes
    of the card, the figures and the Parquet files.

    Args:
        lineage: the JSON object of a lineage, with its files.
    """
    stated = {key: value for key, value in lineage.items() if key != VERSION_HASH}
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def read_lineage(folder: Path) -> dict[str, Any]:
    """Return the lineage of a version, in the layout of format 3.

    Args:
        folder: the version's folder.

    Raises:
        UserError: the file is damaged, or this release does not read its format.
    """
    file = folder / "lineage.json"
    # a version of format 2 may lack `hub`
    lineage = read_json(file, tuple(key for key in VERSION_KEYS if key != "hub"))

    if lineage.get("format") == FORMAT:
        return lineage
    if lineage.get("format") == OLD_FORMAT:
        return from_old_format(lineage, read_json(file, RUN_KEYS))
    raise UserError(
        f"{lineage['name']}@{lineage['version']} has a lineage of format "
        f"{lineage.get('format')}, and this release "
        f"reads {OLD_FORMAT} and {FORMAT}: publish its run anew, under another name"
    )


def from_old_format(lineage: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Return a lineage of format 2 in the layout of format 3. Its `format` stays 2."""
    runs = {family_of(run["configs"]): {key: run[key] for key in RUN_KEYS}}
    facts = {key: lineage.get(key) for key in VERSION_KEYS}
    return {"format": OLD_FORMAT} | facts | {"runs": runs}


def read_json(file: Path, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Args:
        file: a JSON file in UTF-8.
        keys: the keys that the object must have.

    Raises:
        UserError: the file cannot be read, or holds no object, or lacks a key.
    """
    try:
        value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {error}") from None

    if isinstance(value, dict):
        missing = [key for key in keys if key not in value]
    else:
        missing = ["a JSON object"]
    if missing:
        raise UserError(f"{file} is damaged: it lacks {', '.join(missing)}")
    return value
