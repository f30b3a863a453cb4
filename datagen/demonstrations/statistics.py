"""What a demonstrations run tells about its teacher: accuracy by number of demonstrations and by
family.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from datagen.schema import Row


def statistics(items: Iterable[list[Row]]) -> dict[str, Any]:
    """`items`: the rows of one query each, accepted and rejected; those that did not fit or failed
    do not count.

    accuracy: by number of demonstrations shown, and by family, the share of predictions that equal
    the gold and the number of episodes. shown: demonstrations an episode, on average. tasks:
    episodes by task. generated: episodes that show a demonstration which the teacher wrote.
    """
    by_k, by_family = defaultdict[int, list[bool]](list), defaultdict[str, list[bool]](list)
    tasks, generated = defaultdict[str, int](int), 0
    for row in (row for rows in items for row in rows if row.get("correct") is not None):
        by_k[row["k"]].append(row["correct"])
        by_family[row["family"]].append(row["correct"])
        tasks[row["task"]] += 1
        generated += row["generated"]
    shown = [k for k, found in by_k.items() for _ in found]
    return {
        "tasks": dict(sorted(tasks.items())),
        "accuracy": {str(k): share(by_k[k]) for k in sorted(by_k)},
        "accuracy_by_family": {family: share(by_family[family]) for family in sorted(by_family)},
        "shown": round(sum(shown) / len(shown), 2) if shown else None,
        "generated": generated,
    }


def share(found: list[bool]) -> Mapping[str, Any]:
    return {"accuracy": round(sum(found) / len(found), 4), "episodes": len(found)}
