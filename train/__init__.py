"""Train students on published dataset versions, and measure what they learned.

Every command of `train` is a function here, with the flags as keyword arguments and the same
defaults. Importing this package loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

PLACES = {
    "datagen.api.run": ("Run",),
    "train.api.measuring": ("evaluate_models", "probe_student", "push_student"),
    "train.api.report": ("Report",),
    "train.api.student": ("Student", "open_student"),
    "train.api.training": ("fit_gkd", "fit_kd", "fit_sft"),
    "datagen.records.report": ("Estimate",),
    "train.push": ("Pushed",),
}
"""Where the public names stand. They are imported when they are first used."""

MODULES = {name: module for module, names in PLACES.items() for name in names}

__all__ = sorted(MODULES)


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'train' has no attribute {name!r}")
    value = getattr(importlib.import_module(MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})
