"""Accuracy by ability of base, teacher and every arm, mean and 95% t interval: `python -m
recipes.hybrid.table`."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from recipes.rationales.compare import interval

ABILITIES = ("rationales", "instructions", "in-context")


def main() -> None:
    cells: dict[str, list[str]] = defaultdict(list)
    suites = [
        suite
        for ability in ABILITIES
        for suite in json.loads(Path(f"reports/hybrid/{ability}/report.json").read_text())["suites"]
    ]
    for suite in suites:
        found = defaultdict(list)
        for model in suite["models"]:
            mode = (
                " (direct)"
                if model["role"] == "base" and model["mode"] != suite["base_mode"]
                else ""
            )
            if not mode:
                found[model["name"].rpartition("-")[0] or model["name"]].append(
                    model["greedy_accuracy"]["value"]
                )
        for name, values in found.items():
            cells[name].append(interval(values))
    print(
        "| | " + " | ".join(suite["suite"].removeprefix("microworld/") for suite in suites) + " |"
    )
    print("|---|" + "---|" * len(suites))
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
