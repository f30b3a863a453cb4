"""Kill Ray workers at random moments of a run, and compare it with a run without Ray that was left
alone.

    python -m tests.bench.ray_kill [--teacher micro] [--questions 200] [--workers 2] [--kills 5]

Ray must be installed.

Both runs ask the same questions of the micro-world; loading is part of their time. A request must
have time to be answered: one over which five workers died is given up. `openai:` teachers need
OPENAI_BASE_URL and OPENAI_API_KEY."""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import datagen
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
    there = asked | {"engine": "ray", "workers": args.workers}
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "here", Path(folder) / "ray"
        print(f"without Ray: {run(asked, whole, kills=0)}")
        print(
            f"on {args.workers} workers: {run(there, broken, kills=args.kills, every=args.every)}"
        )
        same = {
            file.name: file.read_bytes() == (broken / file.name).read_bytes()
            for file in whole.glob("*.parquet")
        }
        print(f"byte-identical: {same}")
    return 0 if same and all(same.values()) else 1


def run(asked: dict[str, Any], out: Path, *, kills: int, every: float = 0.0) -> str:
    """Make a run while a thread kills its workers. Return what came out, in words."""
    stopped = threading.Event()
    landed: list[int] = []
    killing = threading.Thread(target=kill, args=(kills, every, stopped, landed), daemon=True)
    started = time.monotonic()
    killing.start()
    stats = datagen.generate_rationales("microworld", **asked, out=out).stats
    stopped.set()
    killing.join()
    seconds = time.monotonic() - started
    return f"accepted {stats.accepted}, rejected {stats.rejected}; {len(landed)} kills; {seconds:.0f} s"


def kill(times: int, every: float, stopped: threading.Event, landed: list[int]) -> None:
    """Kill a random worker now and then, until the run is done."""
    rng = random.Random(0)
    while len(landed) < times and not stopped.wait(rng.uniform(every / 3, every)):
        if pids := workers():
            victim = rng.choice(pids)
            os.kill(victim, signal.SIGKILL)
            landed.append(victim)


if __name__ == "__main__":
    raise SystemExit(main())
