"""Generate distillation datasets: ask a teacher, filter what it says, publish versions."""

__version__ = "0.1.0"
