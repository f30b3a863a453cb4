"""What a demonstrations run measures: the teacher's accuracy by number of demonstrations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from datagen.schema import Row


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """Return what a run adds to `stats.json`.

    Episodes that failed or did not fit do not count.

    Args:
        items: the rows of each query, accepted and rejected.

    Returns:
        `accuracy`: by number of demonstrations, the share of predictions that equal the gold
        answer, and the number of episodes. `accuracy_by_family`: the same by family. `shown`: mean
        number of demonstrations. `tasks`: episodes of each task. `generated`: episodes with a
        demonstration that the teacher wrote.
    """
    by_k = defaultdict[int, list[bool]](list)
    by_family = defaultdict[str, list[bool]](list)
    tasks = Counter[str]()
    generated = 0
    for rows in items:
        for row in rows:
            if row.get("correct") is not None:
                by_k[row["k"]].append(row["correct"])
                by_family[row["family"]].append(row["correct"])
                tasks[row["task"]] += 1
                generated += row["generated"]

    episodes = tasks.total()
    shown = sum(k * len(found) for k, found in by_k.items())
    return {
        "tasks": dict(sorted(tasks.items())),
        "accuracy": {str(k): accuracy(by_k[k]) for k in sorted(by_k)},
        "accuracy_by_family": {name: accuracy(by_family[name]) for name in sorted(by_family)},
        "shown": round(shown / episodes, 2) if episodes else None,
        "generated": generated,
    }


def accuracy(found: list[bool]) -> Mapping[str, Any]:
    """Return the share of correct predictions, and the number of episodes."""
    return {"accuracy": round(sum(found) / len(found), 4), "episodes": len(found)}
