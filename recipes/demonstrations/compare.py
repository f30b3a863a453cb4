"""Strategies of selection compared: `python -m recipes.demonstrations.compare runs/demonstrations`.

For each demonstration seed, which draws the candidates, and each strategy a run of `datagen
demonstrations` over the same queries; then the accuracy of the teacher by number of demonstrations,
mean and worst of the seeds, and each strategy minus random and knn, paired by query, with 95%
bootstrap intervals over queries. Runs that are there go on. Shapes: N queries, S seeds, K numbers
of demonstrations."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datagen.demonstrations.command import run_demonstrations
from datagen.demonstrations.settings import DemonstrationSettings
from datagen.records.report import Estimate
from train.evaluate.bootstrap import Bootstrap

STRATEGIES = ("random", "bm25", "knn", "votek", "dpp", "cone", "teacher")
AGAINST = ("random", "knn")
SEEDS = range(5)
SHOTS = "1,2,4,8"
"""The smallest pools have 16 candidates: there, 16 would leave nothing to choose."""
Right: TypeAlias = NDArray[np.float64]


def main() -> None:
    folder = Path(sys.argv[1])
    for seed in SEEDS:
        for strategy in STRATEGIES:
            run_demonstrations(settings(strategy, seed, folder / f"{strategy}-{seed}"))
    show(*read(folder))


def settings(strategy: str, seed: int, out: Path) -> DemonstrationSettings:
    """Three queries for each of up to six rules of five families, every one with each number of
    demonstrations."""
    return DemonstrationSettings(
        "micro",
        strategy=strategy,
        shots=SHOTS,
        episodes=len(SHOTS.split(",")),
        queries=3,
        rules=6,
        candidates=48,
        tasks="category,shift,successor,permutation,attribute,prefix",
        held_out="prefix",
        seed=seed,
        out=out,
    )


def show(right: Mapping[str, Right], families: list[str], shots: list[int]) -> None:
    bootstrap = Bootstrap()
    queries, seeds, _ = next(iter(right.values())).shape
    print(
        f"{queries} queries, {seeds} demonstration seeds: mean/worst seed at each k; "
        "differences over all k"
    )
    table(
        ["strategy", *(f"k = {k}" for k in shots), "all k", *(f"minus {name}" for name in AGAINST)]
    )
    for name, found in right.items():
        print(
            line(
                [
                    name,
                    *cells(found, bootstrap),
                    *(against(right, name, other, bootstrap) for other in AGAINST),
                ]
            )
        )
    print("\nall k, by family")
    names = sorted(set(families))
    table(["strategy", *names])
    for name, found in right.items():
        parts = [found[[f == family for f in families]].mean((1, 2)) for family in names]
        print(line([name, *(said(bootstrap.mean(part)) for part in parts)]))


def table(head: list[str]) -> None:
    print(line(head), line(["---"] * len(head)), sep="\n")


def read(folder: Path) -> tuple[dict[str, Right], list[str], list[int]]:
    """Whether each prediction was right, [N, S, K] a strategy; the family of each query; the
    numbers shown."""
    rows: dict[str, dict[int, dict[tuple[str, int], bool]]] = {}
    families: dict[str, str] = {}
    for file in sorted(folder.glob("*-*/demonstrations.parquet")):
        strategy, _, seed = file.parent.name.rpartition("-")
        columns = pq.read_table(
            file, columns=["task", "family", "query", "k", "correct"]
        ).to_pylist()
        for row in columns:
            query = f"{row['task']} {row['query']}"
            families[query] = row["family"]
            rows.setdefault(strategy, {}).setdefault(int(seed), {})[query, row["k"]] = row[
                "correct"
            ]
    shots = sorted({k for seeds in rows.values() for found in seeds.values() for _, k in found})
    right = {
        name: np.array(
            [
                [[float(rows[name][seed][query, k]) for k in shots] for seed in sorted(rows[name])]
                for query in sorted(families)
            ]
        )
        for name in STRATEGIES
        if name in rows
    }
    return right, [families[query] for query in sorted(families)], shots


def cells(right_NSK: Right, bootstrap: Bootstrap) -> list[str]:
    mean_SK = right_NSK.mean(0)
    each = [
        f"{bare(mean)}/{bare(worst)}"
        for mean, worst in zip(mean_SK.mean(0), mean_SK.min(0), strict=True)
    ]
    return [*each, said(bootstrap.mean(right_NSK.mean((1, 2))))]


def against(right: Mapping[str, Right], name: str, other: str, bootstrap: Bootstrap) -> str:
    if other not in right or name == other:
        return ""
    return said(bootstrap.difference(right[name].mean((1, 2)), right[other].mean((1, 2))))


def said(found: Estimate) -> str:
    return f"{bare(found.value)} [{bare(found.low)}, {bare(found.high)}]"


def bare(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
