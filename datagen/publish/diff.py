"""What changed between two versions: columns, rows by id, counts by reason, teacher, sampling."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

from datagen.versions.parquet import rows
from datagen.versions.version import Version

ABOUT = ("method", "teacher", "settings", "source", "license", "language")
"""Parts of a run's lineage that are compared entry by entry."""
Digests: TypeAlias = dict[tuple[str, int], bytes]


def differences(old: Version, new: Version) -> Iterator[str]:
    """A line for every difference; none where the versions hold the same. Both need their files."""
    before, after = old.lineage["runs"], new.lineage["runs"]
    families = sorted(before.keys() | after.keys())
    for family in families:
        ahead = f"{family}: " if len(families) > 1 else ""
        if family not in before or family not in after:
            yield f"{family}: {came(after[family]) if family in after else 'the run is gone'}"
            continue
        yield from (ahead + line for line in of_rows(family, old, new))
        yield from (ahead + line for line in of_facts(before[family], after[family]))


def came(run: dict[str, Any]) -> str:
    counts = ", ".join(f"{config['rows']:,} {name}" for name, config in run["configs"].items())
    return f"a new run, {run['method']} by {run['teacher']['name']}: {counts}"


def of_rows(family: str, old: Version, new: Version) -> Iterator[str]:
    """What changed in the configs of a family."""
    before, after = (version.lineage["runs"][family]["configs"] for version in (old, new))
    for config in sorted(before.keys() | after.keys()):
        yield from columns(config, before.get(config), after.get(config))
        if line := changed_rows(config, digests(old, config, family), digests(new, config, family)):
            yield line


def of_facts(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What changed in the counts, and in how a run was made."""
    for key, was, now in entries(reasons(before), reasons(after)):
        yield f"{key}: {was or 0:,} -> {now or 0:,}"
    about = [flat({key: run.get(key) for key in ABOUT}) for run in (before, after)]
    for key, was, now in entries(*about):
        yield f"{key}: {brief(was)} -> {brief(now)}"


def columns(
    config: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Iterator[str]:
    """Columns that came, went or changed their type."""
    if before is None or after is None:
        yield f"{config}: {'a new config' if after else 'the config is gone'}"
        return
    for name, was, now in entries(before["columns"], after["columns"]):
        yield f"{config}: column {name}: {was or 'none'} -> {now or 'none'}"


def changed_rows(config: str, before: Digests, after: Digests) -> str | None:
    """How many rows are there in one version only, or in both with other content under one id."""
    added, removed = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    changed = sum(before[key] != after[key] for key in before.keys() & after.keys())
    if not (added or removed or changed):
        return None
    counts = f"{added:,} added, {removed:,} removed, {changed:,} changed"
    return f"{config}: {len(before):,} -> {len(after):,} rows: {counts}"


def digests(version: Version, config: str, family: str) -> Digests:
    """A hash of every row, by its id; a second row of the same id is its number 2.

    None without that config.
    """
    seen: Counter[str] = Counter()
    found = {}
    there = config in version.lineage["runs"][family]["configs"]
    for file in version.files_of(config, family) if there else ():
        for row in rows(file):
            seen[row["id"]] += 1
            text = json.dumps(row, sort_keys=True).encode("utf-8", "surrogatepass")
            found[row["id"], seen[row["id"]]] = hashlib.sha256(text).digest()[:16]
    return found


def reasons(run: dict[str, Any]) -> dict[str, int]:
    counts = run["counts"]
    return {
        f"{what} {name}": n
        for what in ("accepted", "rejected")
        for name, n in counts.get(what, {}).items()
    }


def entries(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The entries that differ, in the order of their names."""
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"teacher": {"name": "x"}} as {"teacher.name": "x"}."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= (
            flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
        )
    return found


def brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
