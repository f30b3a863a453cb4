"""A version holds one run or several, one a family; what they hold together is told from the
lineage here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def configs_of(lineage: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Config to its rows, its columns (name to type) and, under `runs`, what each family has of it,
    by name.

    The configs of the run that was there first come first; `rejected`, which every family has,
    comes last.
    """
    names = dict.fromkeys(name for run in lineage["runs"].values() for name in run["configs"])
    order = sorted(names, key=lambda name: name == "rejected")
    return {name: together(runs_of(lineage, name)) for name in order}


def runs_of(lineage: Mapping[str, Any], config: str) -> dict[str, Any]:
    """What each family has of a config, in an order that does not depend on which was published
    first.
    """
    runs = sorted(lineage["runs"].items())
    return {family: run["configs"][config] for family, run in runs if config in run["configs"]}


def together(runs: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: kind for config in runs.values() for name, kind in config["columns"].items()}
    return {
        "rows": sum(config["rows"] for config in runs.values()),
        "columns": columns,
        "runs": dict(runs),
    }
