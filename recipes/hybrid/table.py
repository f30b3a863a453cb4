"""Print the accuracy of base, teacher and every arm by ability: `python -m recipes.hybrid.table`.

A cell has the mean over the training seeds and its 95% t interval.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from recipes.rationales.compare import interval

ABILITIES = ("rationales", "instructions", "in-context")


def main() -> None:
    """Print the table."""
    suites = [suite for ability in ABILITIES for suite in suites_of(ability)]
    cells: dict[str, list[str]] = defaultdict(list)
    for suite in suites:
        for name, values in accuracies(suite).items():
            cells[name].append(interval(values))

    names = [suite["suite"].removeprefix("microworld/") for suite in suites]
    print("| | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(suites))
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |")


def suites_of(ability: str) -> list[dict[str, Any]]:
    """Return the suites in the report of an ability."""
    report = Path(f"reports/hybrid/{ability}/report.json")
    suites: list[dict[str, Any]] = json.loads(report.read_text())["suites"]
    return suites


def accuracies(suite: dict[str, Any]) -> dict[str, list[float]]:
    """Return the greedy accuracies on a suite: for each arm one value a seed."""
    found: dict[str, list[float]] = defaultdict(list)
    for model in suite["models"]:
        # The base is asked in two ways. Its better way counts.
        if model["role"] == "base" and model["mode"] != suite["base_mode"]:
            continue
        arm = model["name"].rpartition("-")[0] or model["name"]
        found[arm].append(model["greedy_accuracy"]["value"])
    return found


if __name__ == "__main__":
    main()
