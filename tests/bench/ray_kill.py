"""Kill Ray workers at random moments of a run, and compare it with a run without Ray that was left
alone.

    python -m tests.bench.ray_kill [--teacher micro] [--questions 200] [--workers 2] [--kills 5]

Ray must be installed.

Both runs ask the same questions of the micro-world; loading is part of their time. A request must
have time to be answered: one over which five workers died is given up. `openai:` teachers need
OPENAI_BASE_URL and OPENAI_API_KEY."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from datagen.rationales.command import generate, read_source
from datagen.rationales.prompts import Prompts
from datagen.rationales.settings import RationaleSettings
from tests.datagen.teacher.ray.ray_processes import workers


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teacher", default="micro")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--every", type=float, default=45.0, help="seconds between kills, at most")
    args = parser.parse_args()
    asked = {
        "teacher": args.teacher,
        "limit": args.questions,
        "samples": args.samples,
        "concurrency": 512,
    }
    here = RationaleSettings("microworld", **asked)
    there = RationaleSettings("microworld", **asked, engine="ray", workers=args.workers)
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "here", Path(folder) / "ray"
        print(f"without Ray: {run(here, whole, kills=0)}")
        print(
            f"on {args.workers} workers: {run(there, broken, kills=args.kills, every=args.every)}"
        )
        same = {
            file.name: file.read_bytes() == (broken / file.name).read_bytes()
            for file in whole.glob("*.parquet")
        }
        print(f"byte-identical: {same}")
    return 0 if same and all(same.values()) else 1


def run(settings: RationaleSettings, out: Path, *, kills: int, every: float = 0.0) -> str:
    suite, questions = read_source(settings)
    prompts = Prompts(suite, settings.prompt_style, ())

    async def both() -> tuple[dict[str, int], int]:
        killing = asyncio.create_task(kill(kills, every))
        stats = await generate(questions, prompts, settings, out)
        killing.cancel()
        return stats, killed[0]

    killed = [0]

    async def kill(times: int, every: float) -> None:
        rng = random.Random(0)
        while killed[0] < times:
            await asyncio.sleep(rng.uniform(every / 3, every))
            if pids := workers():
                os.kill(rng.choice(pids), signal.SIGKILL)
                killed[0] += 1

    started = time.monotonic()
    stats, landed = asyncio.run(both())
    told = (
        f"{stats['answers']:,} answers, accepted {stats['accepted']}, rejected {stats['rejected']}"
    )
    return f"{told}; {landed} kills; {time.monotonic() - started:.0f} s"


if __name__ == "__main__":
    raise SystemExit(main())
