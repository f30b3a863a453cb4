"""Compare strategies of selection: `python -m recipes.demonstrations.compare runs/demonstrations`.

There is a run of `datagen.generate_demonstrations` for each strategy and each seed, which draws the
candidates. All runs have the same queries. A run that was stopped continues.

The first table has the teacher's accuracy by number of demonstrations, as mean and worst seed. It
also has the difference of each strategy to random and to knn, paired by query, with 95% bootstrap
intervals over queries. Shapes: N queries, S seeds, K numbers of demonstrations.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

import datagen
from datagen.records.report import Estimate
from train.evaluate.bootstrap import Bootstrap

STRATEGIES = ("random", "bm25", "knn", "votek", "dpp", "cone", "teacher")
AGAINST = ("random", "knn")
SEEDS = range(5)
SHOTS = "1,2,4,8"
"""The smallest pools have 16 candidates. With 16 demonstrations a strategy could choose nothing."""
Right: TypeAlias = NDArray[np.float64]
"""Whether each prediction was right: 1 or 0, shape [N, S, K]."""


@dataclass(frozen=True)
class Comparison:
    """What the runs of all strategies found."""

    right: dict[str, Right]
    """For each strategy, which predictions were right."""
    families: list[str]
    """The family of each query."""
    shots: list[int]
    """The numbers of demonstrations."""


def main() -> None:
    """Make the runs that are missing, and print the tables."""
    folder = Path(sys.argv[1])
    for seed in SEEDS:
        for strategy in STRATEGIES:
            generate(strategy, seed, folder / f"{strategy}-{seed}")
    show(read(folder))


def generate(strategy: str, seed: int, out: Path) -> None:
    """Make one run: three queries for each of up to six rules of five families."""
    datagen.generate_demonstrations(
        "micro",
        strategy=strategy,
        shots=SHOTS,
        # Every query has an episode with each number of demonstrations.
        episodes=len(SHOTS.split(",")),
        queries=3,
        rules=6,
        candidates=48,
        tasks="category,shift,successor,permutation,attribute,prefix",
        held_out="prefix",
        seed=seed,
        out=out,
    )


def show(comparison: Comparison) -> None:
    """Print a table over numbers of demonstrations, and a table over families."""
    bootstrap = Bootstrap()
    queries, seeds, _ = next(iter(comparison.right.values())).shape
    print(
        f"{queries} queries, {seeds} demonstration seeds: mean/worst seed at each k; "
        "differences over all k"
    )
    shots = [f"k = {k}" for k in comparison.shots]
    print_head(["strategy", *shots, "all k", *(f"minus {name}" for name in AGAINST)])
    for name, found in comparison.right.items():
        minus = [against(comparison.right, name, other, bootstrap) for other in AGAINST]
        print(line([name, *cells(found, bootstrap), *minus]))

    print("\nall k, by family")
    families = sorted(set(comparison.families))
    print_head(["strategy", *families])
    for name, found in comparison.right.items():
        of_family = [
            found[[f == family for f in comparison.families]].mean((1, 2)) for family in families
        ]
        print(line([name, *(format_estimate(bootstrap.mean(part)) for part in of_family)]))


def print_head(head: list[str]) -> None:
    """Print the head of a table."""
    print(line(head), line(["---"] * len(head)), sep="\n")


def read(folder: Path) -> Comparison:
    """Read the runs of all strategies and seeds."""
    correct: dict[str, dict[int, dict[tuple[str, int], bool]]] = {}
    families: dict[str, str] = {}
    shots: set[int] = set()
    for file in sorted(folder.glob("*-*/demonstrations.parquet")):
        strategy, _, seed = file.parent.name.rpartition("-")
        found = correct.setdefault(strategy, {}).setdefault(int(seed), {})
        columns = ["task", "family", "query", "k", "correct"]
        for row in pq.read_table(file, columns=columns).to_pylist():
            # Two tasks can have the same query.
            query = f"{row['task']} {row['query']}"
            families[query] = row["family"]
            shots.add(row["k"])
            found[query, row["k"]] = row["correct"]

    queries = sorted(families)
    right = {
        name: as_array(correct[name], queries, sorted(shots))
        for name in STRATEGIES
        if name in correct
    }
    return Comparison(right, [families[query] for query in queries], sorted(shots))


def as_array(
    correct: Mapping[int, Mapping[tuple[str, int], bool]], queries: list[str], shots: list[int]
) -> Right:
    """Return the predictions of one strategy as an array [N, S, K]."""
    seeds = sorted(correct)
    values = np.empty((len(queries), len(seeds), len(shots)))
    for n, query in enumerate(queries):
        for s, seed in enumerate(seeds):
            values[n, s] = [correct[seed][query, k] for k in shots]
    return values


def cells(right_NSK: Right, bootstrap: Bootstrap) -> list[str]:
    """Return the accuracy at each k, as mean and worst seed, and the accuracy over all k."""
    mean_SK = right_NSK.mean(0)
    each = [
        f"{format_share(mean)}/{format_share(worst)}"
        for mean, worst in zip(mean_SK.mean(0), mean_SK.min(0), strict=True)
    ]
    return [*each, format_estimate(bootstrap.mean(right_NSK.mean((1, 2))))]


def against(right: Mapping[str, Right], name: str, other: str, bootstrap: Bootstrap) -> str:
    """Return the difference in accuracy of two strategies over all k, paired by query."""
    if other not in right or name == other:
        return ""
    return format_estimate(
        bootstrap.difference(right[name].mean((1, 2)), right[other].mean((1, 2)))
    )


def format_estimate(found: Estimate) -> str:
    """Return an estimate as text: its value and its interval."""
    return f"{format_share(found.value)} [{format_share(found.low)}, {format_share(found.high)}]"


def format_share(value: float) -> str:
    """Return a number with three digits and without the zero before the point."""
    return f"{value:.3f}".replace("0.", ".", 1)


def line(cells: list[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
