"""The model card of a student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cards.render import public_name, render


def model_card(
    *, base: str, dataset: Mapping[str, Any], settings: Mapping[str, Any], metrics: Mapping[str, Any] | None = None
) -> str:
    """README.md of a student. `dataset`: name, version, content_sha256, config, rows; `metrics`: name to value.

    A `base` that is a folder is named without its path.
    """
    base = public_name(base)
    header = {
        "library_name": "transformers",
        "base_model": base,
        "datasets": [dataset["name"]],
        "tags": ["distillation", "trl", "sft"],
        "pipeline_tag": "text-generation",
    }
    return render("model.md", header=header, base=base, dataset=dataset, settings=settings, metrics=metrics or {})
