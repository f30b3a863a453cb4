"""The seed tasks that this project ships."""

from __future__ import annotations

from pathlib import Path

from datagen.sources.tasks import Task, read_tasks

SEEDS = Path(__file__).parent / "seeds"


def shipped_seeds(language: str) -> list[Task]:
    """Return this project's own seed tasks in a language."""
    return read_tasks(SEEDS / f"{language}.jsonl")
