"""The seed tasks that this project ships."""

from __future__ import annotations

from pathlib import Path

from datagen.sources.tasks import Task, read_tasks

SEEDS = Path(__file__).parent / "seeds"


def shipped(language: str) -> list[Task]:
    """This project's own seed tasks."""
    return read_tasks(SEEDS / f"{language}.jsonl")
