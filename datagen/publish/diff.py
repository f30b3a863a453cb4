"""What changed between two versions: columns, rows by id, counts by reason, teacher, sampling."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from datagen.publish.folder import Version
from datagen.publish.lineage import rows

ABOUT = ("method", "teacher", "settings", "source", "license", "language")
"""Parts of the lineage that are compared entry by entry."""


def differences(old: Version, new: Version) -> Iterator[str]:
    """A line for every difference; none where the versions hold the same. Both need their files."""
    for config in sorted(old.lineage["configs"].keys() | new.lineage["configs"].keys()):
        yield from columns(config, old, new)
        if line := changed_rows(config, old, new):
            yield line
    for key, before, after in entries(reasons(old.lineage), reasons(new.lineage)):
        yield f"{key}: {before or 0:,} -> {after or 0:,}"
    about = [flat({key: version.lineage.get(key) for key in ABOUT}) for version in (old, new)]
    for key, before, after in entries(*about):
        yield f"{key}: {brief(before)} -> {brief(after)}"


def columns(config: str, old: Version, new: Version) -> Iterator[str]:
    """Columns that came, went or changed their type."""
    before, after = (version.lineage["configs"].get(config, {}).get("columns", {}) for version in (old, new))
    if not before or not after:
        yield f"{config}: {'a new config' if after else 'the config is gone'}"
        return
    for name, was, now in entries(before, after):
        yield f"{config}: column {name}: {was or 'none'} -> {now or 'none'}"


def changed_rows(config: str, old: Version, new: Version) -> str | None:
    """How many rows are there in one version only, or in both with other content under one id."""
    before, after = digests(old, config), digests(new, config)
    added, removed = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    changed = sum(before[key] != after[key] for key in before.keys() & after.keys())
    if not (added or removed or changed):
        return None
    counts = f"{added:,} added, {removed:,} removed, {changed:,} changed"
    return f"{config}: {len(before):,} -> {len(after):,} rows: {counts}"


def digests(version: Version, config: str) -> dict[tuple[str, int], bytes]:
    """A hash of every row, by its id; a second row of the same id is its number 2."""
    seen: Counter[str] = Counter()
    found = {}
    for file in version.files_of(config):
        for row in rows(file):
            seen[row["id"]] += 1
            text = json.dumps(row, sort_keys=True).encode("utf-8", "surrogatepass")
            found[row["id"], seen[row["id"]]] = hashlib.sha256(text).digest()[:16]
    return found


def reasons(lineage: dict[str, Any]) -> dict[str, int]:
    counts = lineage.get("counts", {})
    return {f"{what} {name}": n for what in ("accepted", "rejected") for name, n in counts.get(what, {}).items()}


def entries(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The entries that differ, in the order of their names."""
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"teacher": {"name": "x"}} as {"teacher.name": "x"}."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return found


def brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
