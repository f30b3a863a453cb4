"""Kill a run at random moments, resume it each time, and compare with a run that was left alone.

Needs an OpenAI-compatible server that answers the same request the same way and counts repeats at
/stats ("answered_again"): `python -m tests.datagen.endpoint --port 8123 --latency 0.05` is one.

    OPENAI_API_KEY=test-key OPENAI_BASE_URL=http://127.0.0.1:8123/v1 \
        python tests/bench/kill_resume.py QUESTIONS.jsonl --teacher openai:arith --kills 20
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


def repeats() -> int:
    base = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
    with urllib.request.urlopen(f"{base}/stats") as reply:
        return int(json.load(reply).get("answered_again", 0))


def start(args: argparse.Namespace, out: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "datagen.cli",
        "rationales",
        args.questions,
        "--teacher",
        args.teacher,
    ]
    command += [
        "--out",
        str(out),
        "--samples",
        str(args.samples),
        "--concurrency",
        str(args.concurrency),
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions")
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument(
        "--longest", type=float, default=3.0, help="seconds a run lives at most before its kill"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, killed, landed = random.Random(args.seed), 0, 0

    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        before, begun = repeats(), time.monotonic()
        while killed < args.kills:
            process = start(args, broken)
            time.sleep(rng.uniform(0.2, args.longest))
            landed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        status = start(args, broken).wait()
        again = repeats() - before
        print(f"{killed} kills, {landed} of them while it ran, finished with status {status}")
        print(
            f"answered again: {again} (at most {landed * args.concurrency} were in flight at "
            "the kills)"
        )
        before = repeats()
        start(args, whole).wait()
        print(f"the undisturbed run repeated every request, as it should: {repeats() - before}")
        files = sorted(p.name for p in whole.glob("*.parquet"))
        same = {name: (whole / name).read_bytes() == (broken / name).read_bytes() for name in files}
        print(f"byte-identical: {same}; {time.monotonic() - begun:.0f} s in all")
        stats = json.loads((broken / "stats.json").read_text())
        print(
            f"rows: {stats['accepted']} accepted, {stats['rejected']} rejected of "
            f"{stats['questions']} questions"
        )
    return (
        0
        if status == 0 and all(same.values()) and files and again <= landed * args.concurrency
        else 1
    )


if __name__ == "__main__":
    raise SystemExit(main())
