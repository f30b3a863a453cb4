"""What selection from a large pool costs: seconds and peak memory, a process for each strategy.

python tests/bench/pools.py [--candidates 1000000] [--queries 20] [--strategies knn,bm25,votek,dpp]

Texts are 4 to 12 words of a vocabulary of 20,000, drawn as in a language (Zipf). Peak memory is the process's, its pool
of examples and all libraries among it; what the pool alone takes is told first.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import time

import numpy as np

from datagen.demonstrations.indexed import Indexed, SelectionSettings
from datagen.demonstrations.pools import Example, Pool
from datagen.demonstrations.select import select

WORDS = 20_000
K = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--strategies", default="knn,bm25,votek,dpp")
    parser.add_argument("--alone", default="", help="measure this one strategy in this process")
    args = parser.parse_args()
    if args.alone:
        measure(args.alone, args.candidates, args.queries)
        return
    for strategy in args.strategies.split(","):
        subprocess.run([sys.executable, *sys.argv, "--alone", strategy], check=True)


def measure(strategy: str, candidates: int, queries: int) -> None:
    examples = made(candidates + queries)
    pool = Indexed(Pool("made", tuple(examples[queries:]), (), ()), SelectionSettings())
    before = peak()
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(select(strategy, examples[0], pool, K, stream="first"))
    first, cpu = time.perf_counter() - began, time.process_time() - cpu
    began = time.perf_counter()
    for query in examples[1:queries]:
        found = asyncio.run(select(strategy, query, pool, K))
        assert len(set(found.indices)) == K
    each = (time.perf_counter() - began) / max(queries - 1, 1)
    neighbours = pool.__dict__.get("neighbours")  # built where the strategy wants it
    how = "" if neighbours is None else ", approximate" if neighbours.approximate else ", exact"
    print(
        f"{strategy}: {candidates:,} candidates{how}: index and first query {first:.1f} s (CPU {cpu:.1f}), then "
        f"a query {each * 1000:.0f} ms, "
        f"peak {peak():,} MiB (pool alone {before:,})",
        flush=True,
    )


def made(n: int) -> list[Example]:
    """n examples with different inputs: the last word is the number."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 13, n)
    drawn = np.minimum(rng.zipf(1.3, lengths.sum()), WORDS)
    ends = lengths.cumsum()
    return [
        Example(f"{i:016x}", " ".join(f"w{word}" for word in drawn[end - length : end]) + f" n{i}", f"label{i % 4}")
        for i, (length, end) in enumerate(zip(lengths.tolist(), ends.tolist(), strict=True))
    ]


def peak() -> int:
    """Peak resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
