"""Comparing two versions: columns, rows by id, counts by reason, teacher and settings."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from datagen.versions.parquet import rows
from datagen.versions.version import Version

FACTS = ("method", "teacher", "settings", "source", "license", "language")
"""Parts of a run's lineage that are compared entry by entry."""
WIDTH = 80
"""Characters of a value in a line; longer values are cut. A prompt can take pages."""

RowHashes: TypeAlias = dict[tuple[str, int], bytes]
"""A hash of each row, by its id and by how many rows of that id there are up to it."""


def differences(old: Version, new: Version) -> Iterator[str]:
    """Yield one line for every difference between two versions, with their files in place."""
    before = old.lineage["runs"]
    after = new.lineage["runs"]
    families = sorted(before.keys() | after.keys())
    for family in families:
        if family not in before:
            yield f"{family}: {new_run(after[family])}"
        elif family not in after:
            yield f"{family}: the run is gone"
        else:
            # a version of one run needs no family's name before each line
            start = f"{family}: " if len(families) > 1 else ""
            yield from (start + line for line in config_differences(family, old, new))
            yield from (start + line for line in fact_differences(before[family], after[family]))


def new_run(run: dict[str, Any]) -> str:
    """Return the words for a run that only the new version has."""
    counts = ", ".join(f"{config['rows']:,} {name}" for name, config in run["configs"].items())
    return f"a new run, {run['method']} by {run['teacher']['name']}: {counts}"


def config_differences(family: str, old: Version, new: Version) -> Iterator[str]:
    """Yield what changed in the columns and rows of a family's configs."""
    before = old.lineage["runs"][family]["configs"]
    after = new.lineage["runs"][family]["configs"]
    for config in sorted(before.keys() | after.keys()):
        yield from column_differences(config, before.get(config), after.get(config))
        line = row_difference(
            config, row_hashes(old, config, family), row_hashes(new, config, family)
        )
        if line:
            yield line


def fact_differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield what changed in a run's counts, method, teacher and settings."""
    for key, was, now in changed_entries(counts_by_reason(before), counts_by_reason(after)):
        yield f"{key}: {was or 0:,} -> {now or 0:,}"

    old = flatten({key: before.get(key) for key in FACTS})
    new = flatten({key: after.get(key) for key in FACTS})
    for key, was, now in changed_entries(old, new):
        yield f"{key}: {shorten(was)} -> {shorten(now)}"


def column_differences(
    config: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Iterator[str]:
    """Yield the columns that were added, removed or changed their type.

    Args:
        config: the name of the config.
        before: the config in the old version, or None.
        after: the config in the new version, or None.
    """
    if before is None or after is None:
        yield f"{config}: {'a new config' if after else 'the config is gone'}"
        return
    for name, was, now in changed_entries(before["columns"], after["columns"]):
        yield f"{config}: column {name}: {was or 'none'} -> {now or 'none'}"


def row_difference(config: str, before: RowHashes, after: RowHashes) -> str | None:
    """Return how many rows were added, removed or changed, or None if no row was."""
    added = len(after.keys() - before.keys())
    removed = len(before.keys() - after.keys())
    changed = sum(before[key] != after[key] for key in before.keys() & after.keys())
    if not (added or removed or changed):
        return None
    counts = f"{added:,} added, {removed:,} removed, {changed:,} changed"
    return f"{config}: {len(before):,} -> {len(after):,} rows: {counts}"


def row_hashes(version: Version, config: str, family: str) -> RowHashes:
    """Return a hash of every row of a config, or nothing if the family lacks the config."""
    if config not in version.lineage["runs"][family]["configs"]:
        return {}

    seen: Counter[str] = Counter()
    found: RowHashes = {}
    for file in version.files_of(config, family):
        for row in rows(file):
            # several rows of one question share its id
            seen[row["id"]] += 1
            text = json.dumps(row, sort_keys=True).encode("utf-8", "surrogatepass")
            # half of the hash, because millions of them are held in memory
            found[row["id"], seen[row["id"]]] = hashlib.sha256(text).digest()[:16]
    return found


def counts_by_reason(run: dict[str, Any]) -> dict[str, int]:
    """Return the counts of a run as {"accepted rationales": 12, "rejected wrong": 3}."""
    found: dict[str, int] = {}
    for side in ("accepted", "rejected"):
        counts = run["counts"].get(side, {})
        found |= {f"{side} {name}": number for name, number in counts.items()}
    return found


def changed_entries(
    before: dict[str, Any], after: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield key, old value and new value of the entries that differ, sorted by key."""
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {"teacher": {"name": "x"}} as {"teacher.name": "x"}."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            found |= flatten(inner, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = inner
    return found


def shorten(value: Any) -> str:
    """Return a value as text on one line of at most `WIDTH` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
