"""What selection from a large pool costs: seconds and peak memory.

python tests/bench/pools.py [--candidates 1000000] [--queries 20] [--strategies knn,bm25,votek,dpp]

Texts are 4 to 12 words of a vocabulary of 20,000, drawn as in a language (Zipf). The strategies
share one index of vectors, which the first of them that wants it builds. Peak memory is the
process's so far, its pool of examples and all libraries among it."""

from __future__ import annotations

import argparse
import asyncio
import resource
import time

import numpy as np

from datagen.demonstrations.pools import Example, Pool
from datagen.demonstrations.selection.indexed import Indexed, SelectionSettings
from datagen.demonstrations.selection.select import select

WORDS = 20_000
K = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--strategies", default="knn,bm25,votek,dpp")
    args = parser.parse_args()
    examples = made(args.candidates + args.queries)
    queries, candidates = examples[: args.queries], examples[args.queries :]
    pool = Indexed(Pool("made", tuple(candidates), (), ()), SelectionSettings())
    print(f"{len(candidates):,} candidates, the pool alone {peak():,} MiB", flush=True)
    for strategy in args.strategies.split(","):
        measure(strategy, pool, queries)


def measure(strategy: str, pool: Indexed, queries: list[Example]) -> None:
    """The first query builds what is not there yet."""
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(select(strategy, queries[0], pool, K, stream="first"))
    first, cpu = time.perf_counter() - began, time.process_time() - cpu
    then = time.process_time()
    for query in queries[1:]:
        found = asyncio.run(select(strategy, query, pool, K))
        assert len(set(found.indices)) == K
    each = (time.process_time() - then) / max(len(queries) - 1, 1)
    neighbours = pool.__dict__.get("neighbours")  # built where a strategy wants it
    how = "" if neighbours is None else ", approximate" if neighbours.approximate else ", exact"
    print(
        f"{strategy}{how}: index and first query {first:.0f} s (CPU {cpu:.0f}), "
        f"then {each * 1000:.0f} ms of CPU a query; peak {peak():,} MiB",
        flush=True,
    )


def made(n: int) -> list[Example]:
    """n examples with different inputs: the last word is the number."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 13, n)
    drawn = np.minimum(rng.zipf(1.3, lengths.sum()), WORDS)
    ends = lengths.cumsum()
    return [
        Example(
            f"{i:016x}",
            " ".join(f"w{word}" for word in drawn[end - length : end]) + f" n{i}",
            f"label{i % 4}",
        )
        for i, (length, end) in enumerate(zip(lengths.tolist(), ends.tolist(), strict=True))
    ]


def peak() -> int:
    """Peak resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
