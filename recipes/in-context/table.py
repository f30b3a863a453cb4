"""Print the README's tables: `PYTHONPATH=. python recipes/in-context/table.py`.

The figures of a student are means over its training seeds, and their intervals are 95% t intervals
over these seeds. Base and teacher are one model each, so their intervals are those of the reports.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from recipes.rationales.compare import interval

REPORTS = Path("reports/in-context")


SHOTS = (0, 1, 2, 4, 8, 16)
"""Numbers of demonstrations, as in the report."""


def main() -> None:
    """Print both tables."""
    print_by_shots()
    print()
    print_by_task()


def print_by_shots() -> None:
    """Print the accuracy after each number of demonstrations, and the slope of the curve."""
    print("| families | model |", " | ".join(f"{k}" for k in SHOTS), "| slope |")
    print("|---" * (len(SHOTS) + 3) + "|")
    for suite in read("meta"):
        for family in suite["models"][0]["families"]:
            for name, models in by_role(suite["models"]):
                found = [model["families"][family] for model in models]
                means = [mean(one["accuracy"][str(k)]["value"] for one in found) for k in SHOTS]
                row = " | ".join(f"{value:.2f}" for value in means)
                print(f"| {family} | {name} |", row, f"| {slope(found)} |")


def print_by_task() -> None:
    """Print the accuracy of the students that were distilled without demonstrations."""
    [suite] = read("distil")
    tasks = list(suite["models"][0]["by_task"])
    print("| model |", " | ".join(task.removeprefix("microworld/") for task in tasks), "| all |")
    print("|---" * (len(tasks) + 2) + "|")
    for name, models in by_role(suite["models"]):
        means = [mean(model["by_task"][task]["value"] for model in models) for task in tasks]
        row = " | ".join(f"{value:.2f}" for value in means)
        print(f"| {name} |", row, f"| {accuracy([model['accuracy'] for model in models])} |")


def read(name: str) -> list[dict[str, Any]]:
    """Return the in-context part of a report."""
    report = REPORTS / name / "report.json"
    suites: list[dict[str, Any]] = json.loads(report.read_text())["in_context"]
    return suites


def by_role(models: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the models of each role. Several students are the seeds of one training."""
    roles = ("base", "student", "teacher")
    return [(role, [model for model in models if model["role"] == role]) for role in roles]


def slope(found: Sequence[dict[str, Any]]) -> str:
    """Return the slope over the number of demonstrations as text."""
    return accuracy([one["slope"] for one in found])


def accuracy(found: Sequence[dict[str, float]]) -> str:
    """Return the mean of some models as text, with its interval."""
    if len(found) > 1:
        return interval([one["value"] for one in found])
    return f"{found[0]['value']:.3f} [{found[0]['low']:.3f}, {found[0]['high']:.3f}]"


def mean(values: Iterable[float]) -> float:
    """Return the mean of some values."""
    found = list(values)
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
