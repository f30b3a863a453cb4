"""Which number a version gets."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

Number: TypeAlias = tuple[int, int, int]

FIRST: Number = (1, 0, 0)
PATTERN = re.compile(r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")


def parse(text: str) -> Number | None:
    """(1, 2, 0) for "1.2.0" or "v1.2.0"; None for anything else."""
    found = PATTERN.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def show(number: Number) -> str:
    return ".".join(map(str, number))


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
