"""What `teacher` selection costs: seconds and tokens for a share of 1,000 queries × 32 candidates.

python tests/bench/score.py [--model FOLDER] [--queries 100] [--k 1] [--beam 8]

With --k 1 each query's candidates are scored alone; a larger k adds the greedy steps, whose prompts
begin alike."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from datagen.demonstrations.pools import Example, microworld
from datagen.demonstrations.selection.select import Asking, Indexed, SelectionSettings, select
from datagen.microworld import WEIGHTS
from datagen.prompts.episodes import Format
from datagen.teacher.journal import JournaledTeacher
from datagen.teacher.local.hf import HfTeacher

CONCURRENCY = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(WEIGHTS / "teacher"))
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--k", type=int, default=1)
    parser.add_argument("--beam", type=int, default=8)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        for name in ("asked", "again from the journal"):
            (seconds, cpu), (asked, computed) = asyncio.run(
                measure(args, Path(folder) / "journal.sqlite")
            )
            whole = seconds * 1000 / args.queries
            print(
                f"{name}: {args.queries} × 32, k = {args.k}: {seconds:.1f} s (CPU {cpu:.1f}), "
                f"1,000: {whole:.0f} s"
            )
            print(f"  tokens asked {asked:,}, computed {computed:,}", flush=True)


async def measure(
    args: argparse.Namespace, journal: Path
) -> tuple[tuple[float, float], tuple[int, int]]:
    engine = HfTeacher(args.model, name="bench")
    await engine.open()
    teacher, slots = JournaledTeacher(engine, journal), asyncio.Semaphore(CONCURRENCY)
    settings = SelectionSettings(beam=args.beam)
    pools = [Indexed(pool, settings) for pool in microworld() if len(pool.candidates) >= 32]
    jobs = [(pool, query) for pool in pools for query in pool.pool.train]
    start, cpu = time.perf_counter(), time.process_time()

    async def one(pool: Indexed, query: Example) -> None:
        async with slots:
            await select("teacher", query, pool, args.k, asking=Asking(teacher, Format("arrow")))

    await asyncio.gather(
        *(one(*job) for job in jobs[:: max(1, len(jobs) // args.queries)][: args.queries])
    )
    seconds = (time.perf_counter() - start, time.process_time() - cpu)
    await teacher.close()
    return seconds, (engine.model.tokens_asked, engine.model.tokens_computed)


if __name__ == "__main__":
    main()
