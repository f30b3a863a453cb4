"""Generate distillation datasets: ask a teacher, filter what it says, publish versions.

Every command of `datagen` is a function here, with the flags as keyword arguments and the same
defaults. The functions return objects, work inside a running event loop (a notebook), and raise
the exceptions of `datagen.errors`.

Example:
    >>> import datagen
    >>> run = datagen.generate_rationales("microworld", limit=4, samples=2, out=folder / "first")
    >>> run.stats.questions
    4
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

PLACES = {
    "datagen.answers": ("Vote", "equal", "equation_validity", "equations", "extract", "vote"),
    "datagen.api.generating": (
        "filter_rows",
        "forecast",
        "generate_demonstrations",
        "generate_evol_instruct",
        "generate_magpie",
        "generate_rationales",
        "generate_responses",
        "generate_self_instruct",
        "judge_rows",
        "store_topk",
    ),
    "datagen.api.publishing": (
        "compare_versions",
        "inspect_run",
        "list_versions",
        "publish_run",
        "pull_version",
        "verify_version",
    ),
    "datagen.api.run": ("Run", "open_run"),
    "datagen.api.teaching": ("connect",),
    "datagen.api.version": ("Version", "load_version"),
    "datagen.demonstrations.selection.tool": ("select_demonstrations",),
    "datagen.errors": ("DatagenError", "TeacherError", "UserError"),
    "datagen.filters.contamination": ("Benchmarks",),
    "datagen.filters.duplicates": ("exact_duplicates",),
    "datagen.filters.near": ("near_duplicates",),
    "datagen.filters.novelty": ("Novelty",),
    "datagen.filters.responses": ("Refusals", "Responses"),
    "datagen.filters.row_filter": ("Reason",),
    "datagen.publish.command": ("Comparison",),
    "datagen.records": ("Lineage", "RunConfig", "RunStats"),
    "datagen.run.job": ("Incomplete",),
    "datagen.schema": ("Accepted", "Rejected"),
    "datagen.teacher": ("Completion", "Request", "Sampling"),
    "datagen.teacher.client": ("TeacherClient",),
    "datagen.teacher.cost.forecast": ("Forecast",),
}
"""Where the public names stand. They are imported when they are first used."""

MODULES = {name: module for module, names in PLACES.items() for name in names}

__all__ = sorted([*MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'datagen' has no attribute {name!r}")
    value = getattr(importlib.import_module(MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})
