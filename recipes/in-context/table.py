"""The README's tables from the two reports: `PYTHONPATH=. python recipes/in-context/table.py`.

A student's figures are means over its training seeds, the intervals of slopes and of the distilled
students' accuracy 95% t intervals over these seeds; those of base and teacher, which are one model
each, the report's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes.rationales.compare import interval

REPORTS = Path("reports/in-context")


def main() -> None:
    shots = [0, 1, 2, 4, 8, 16]
    print(
        "| families | model |",
        " | ".join(f"{k}" for k in shots),
        "| slope |\n" + "|---" * (len(shots) + 3) + "|",
    )
    for suite in read("meta"):
        for family in suite["models"][0]["families"]:
            for name, models in by_role(suite["models"]):
                found = [model["families"][family] for model in models]
                row = [mean(one["accuracy"][str(k)]["value"] for one in found) for k in shots]
                print(
                    f"| {family} | {name} |",
                    " | ".join(f"{v:.2f}" for v in row),
                    f"| {slope(found)} |",
                )
    [suite] = read("distil")
    print(
        "\n| model |",
        " | ".join(task.removeprefix("microworld/") for task in suite["models"][0]["by_task"]),
        "| all |",
    )
    print("|---" * (len(suite["models"][0]["by_task"]) + 2) + "|")
    for name, models in by_role(suite["models"]):
        tasks = [
            f"{mean(model['by_task'][task]['value'] for model in models):.2f}"
            for task in models[0]["by_task"]
        ]
        print(
            f"| {name} |",
            " | ".join(tasks),
            f"| {accuracy([model['accuracy'] for model in models])} |",
        )


def read(name: str) -> list[dict[str, Any]]:
    suites: list[dict[str, Any]] = json.loads((REPORTS / name / "report.json").read_text())[
        "in_context"
    ]
    return suites


def by_role(models: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [
        (role, [m for m in models if m["role"] == role]) for role in ("base", "student", "teacher")
    ]


def slope(found: Sequence[dict[str, Any]]) -> str:
    return accuracy([one["slope"] for one in found])


def accuracy(found: Sequence[dict[str, float]]) -> str:
    if len(found) > 1:
        return interval([one["value"] for one in found])
    return f"{found[0]['value']:.3f} [{found[0]['low']:.3f}, {found[0]['high']:.3f}]"


def mean(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
