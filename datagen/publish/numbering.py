"""Choosing the number of a new version."""

from __future__ import annotations

from typing import Any

from datagen.versions.number import FIRST, Number, parse


def next_number(newest: dict[str, Any], lineage: dict[str, Any]) -> Number:
    """Return the number of a version that differs from the newest one.

    A changed method or changed columns make a major version: they can break a user's code. Changed
    rows or a further family make a minor version. Any other change, such as a new card, makes a
    patch.

    Args:
        newest: the lineage of the newest version.
        lineage: the lineage of the new version. It has all families of the newest.
    """
    major, minor, patch = parse(newest["version"]) or FIRST

    old_runs = newest["runs"].items()
    if any(schema_of(run) != schema_of(lineage["runs"][family]) for family, run in old_runs):
        return (major + 1, 0, 0)
    if newest["content_sha256"] != lineage["content_sha256"]:
        return (major, minor + 1, 0)
    return (major, minor, patch + 1)


def schema_of(run: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what the users of a run's rows rely on: its method and the columns of its configs."""
    return run["method"], {name: config["columns"] for name, config in run["configs"].items()}
