"""Which number a version gets."""

from __future__ import annotations

from typing import Any

from datagen.versions.number import FIRST, Number, parse


def following(newest: dict[str, Any], lineage: dict[str, Any]) -> Number:
    """The number after `newest` for content that differs from it: a changed schema or method of
    what it holds is a new major version, changed rows and a further family a minor one, and
    anything else (the card) a patch. Both are lineages, the second with all families of the first.
    """
    major, minor, patch = parse(newest["version"]) or FIRST
    if any(form(run) != form(lineage["runs"][family]) for family, run in newest["runs"].items()):
        return (major + 1, 0, 0)
    if newest["content_sha256"] != lineage["content_sha256"]:
        return (major, minor + 1, 0)
    return (major, minor, patch + 1)


def form(run: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What somebody who uses a run's rows relies on: its method, and the columns of its configs."""
    return run["method"], {name: config["columns"] for name, config in run["configs"].items()}
