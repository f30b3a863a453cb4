"""A run's lineage as a small graph in plain text: it reads the same on any page, in a terminal and
in a diff.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ITEMS = {"rationales": "questions", "demonstrations": "queries"}
"""What a family starts from; the others start from instructions."""


def graph(run: Mapping[str, Any]) -> str:
    """Source, teacher, configs; the student that may come of it is told elsewhere."""
    lines = [source_line(run), "│", "▼", teacher_line(run), "│"]
    ends = [f"{name}: {config['rows']:,} rows" for name, config in run["configs"].items()]
    return "\n".join([*lines, *(f"├─► {end}" for end in ends[:-1]), f"└─► {ends[-1]}"])


def source_line(run: Mapping[str, Any]) -> str:
    source = run["source"]
    split = f", split {source['split']}" if source.get("split") else ""
    count = source.get("questions") or source.get("queries")
    items = ITEMS.get(next(iter(run["configs"])), "instructions")
    return f"{source_name(source)}{split}" + (f": {count:,} {items}" if count else "")


def source_name(source: Mapping[str, Any]) -> str:
    return source.get("suite") or source.get("name") or "unnamed"


def teacher_line(run: Mapping[str, Any]) -> str:
    answers = run["usage"]["answers"]
    if not answers:
        return f"{run['method']}: no model was asked"
    return f"{run['method']} by {run['teacher']['identity']}: {answers:,} answers"
