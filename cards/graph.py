"""The lineage of a run as a small graph in plain text.

Plain text reads the same on any page, in a terminal and in a diff.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ITEMS = {"rationales": "questions", "demonstrations": "queries"}
"""The items that a family starts from, by its first config. The others start from instructions."""


def graph(run: Mapping[str, Any]) -> str:
    """Return the graph of a run: source, teacher, configs.

    Example:
        >>> run = {"method": "respond", "source": {"suite": "mine", "questions": 3},
        ...        "teacher": {"identity": "micro@1"}, "usage": {"answers": 3},
        ...        "configs": {"instructions": {"rows": 2}, "rejected": {"rows": 1}}}
        >>> print(graph(run))
        mine: 3 instructions
        │
        ▼
        respond by micro@1: 3 answers
        │
        ├─► instructions: 2 rows
        └─► rejected: 1 rows
    """
    lines = [source_line(run), "│", "▼", teacher_line(run), "│"]
    ends = [f"{name}: {config['rows']:,} rows" for name, config in run["configs"].items()]
    return "\n".join([*lines, *(f"├─► {end}" for end in ends[:-1]), f"└─► {ends[-1]}"])


def source_line(run: Mapping[str, Any]) -> str:
    """Return the line with name, split and size of the source."""
    source = run["source"]
    split = f", split {source['split']}" if source.get("split") else ""
    count = source.get("questions") or source.get("queries")
    items = ITEMS.get(next(iter(run["configs"])), "instructions")
    return f"{source_name(source)}{split}" + (f": {count:,} {items}" if count else "")


def source_name(source: Mapping[str, Any]) -> str:
    """Return the name of a source."""
    # runs of older releases have `name` instead of `suite`
    return source.get("suite") or source.get("name") or "unnamed"


def teacher_line(run: Mapping[str, Any]) -> str:
    """Return the line with method, teacher, and how often the teacher was asked."""
    answers = run["usage"]["answers"]
    if not answers:
        return f"{run['method']}: no model was asked"
    return f"{run['method']} by {run['teacher']['identity']}: {answers:,} answers"
