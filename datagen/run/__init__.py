"""A run folder: every answer and every row, resumable."""

from datagen.run.open_run import FAILED, OpenRun, Statistics

__all__ = ["FAILED", "OpenRun", "Statistics"]
