"""What faults of an endpoint cost a run of `datagen rationales`: each alone, all together, an
endpoint that is gone.

    python -m tests.bench.faults [--server "python SERVER.py" --model replay --questions FILE.jsonl]

Without --server it starts `tests.datagen.endpoint` with the faults. A server of one's own takes
--port, --latency-ms, --error-rate, --drop-rate, --truncate-rate, --empty-rate, --hang-rate,
--length-rate and --rate-limit; it is asked for the scenarios that need no more. Of every run the
bench checks that each question has its rows, that accepted, rejected and failed add up, and counts
the answers that were sent again. Time lost is against the run without faults. The last scenario
refuses some requests for good; then the same command meets a sound endpoint, and must ask for these
alone."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.endpoint import questions

PORT, KEY = 8922, "test-key"
OWN = "--null-rate", "--refuse-rate", "--gone-after"
RATES = {"error": "500", "drop": "drop", "truncate": "broken", "empty": "empty", "null": "null", "hang": "hang",
         "length": "length", "refuse": "400"}  # fmt: skip
"""Flags, and what tests.datagen.endpoint calls the fault."""


def flags(*names: str, rate: float = 0.05) -> list[str]:
    return [word for name in names for word in (f"--{name}-rate", str(rate))]


PASSING = ("error", "drop", "truncate", "empty", "null", "hang", "length")
GONE = ["--gone-after", "300", "--gone-seconds", "60"]
SCENARIOS = {
    "none": [],
    **{name: flags(name) for name in PASSING},
    "429 at 200/s": ["--rate-limit", "200"],
    "gone for 60 s": GONE,
    "all but null, gone": [*flags(*(n for n in PASSING if n != "null")), "--rate-limit", "200"],
    "all": [*flags(*PASSING), "--rate-limit", "200", *GONE],
    "refused (400)": flags("refuse"),
}


def compare(args: argparse.Namespace) -> None:
    usual, rows = 0.0, questions(args.questions, args.requests)
    print(
        f"{'fault':20} {'s':>6} {'lost':>6} {'accepted':>9} {'rejected':>28} {'failed':>6} "
        f"{'sent':>6} {'again':>6}"
    )
    for name, extra in SCENARIOS.items():
        if args.only and name not in args.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            file, out = Path(folder) / "questions.jsonl", Path(folder) / "run"
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            with serving(args, extra) as (url, model):
                seconds, asked = run(args, file, out, url, model)
            usual = usual or seconds
            show(name, seconds, seconds - usual, counted(out, len(rows), args.samples), asked)
            if "--refuse-rate" in extra:
                failed = counted(out, len(rows), args.samples)["failed"]
                with serving(args, [], own=True) as (url, model):
                    seconds, asked = run(args, file, out, url, model)
                show("  the same again", seconds, 0.0, counted(out, len(rows), args.samples), asked)
                assert asked["requests"] == failed, (
                    f"{failed} requests had failed, {asked['requests']} were made"
                )


def show(
    name: str, seconds: float, lost: float, counts: Counter[str], asked: dict[str, int]
) -> None:
    rejected = (
        ", ".join(
            f"{k} {n:,}" for k, n in sorted(counts.items()) if k not in {"accepted", "failed"}
        )
        or "none"
    )
    print(
        f"{name:20} {seconds:6.1f} {lost:6.1f} {counts['accepted']:9,} {rejected:>28} "
        f"{counts['failed']:6} "
        f"{asked['requests']:6,} {asked['again']:6,}",
        flush=True,
    )


def run(
    args: argparse.Namespace, file: Path, out: Path, url: str, model: str
) -> tuple[float, dict[str, int]]:
    """Wall seconds of the command, and what the server counted."""
    words = [
        "rationales",
        str(file),
        "--teacher",
        f"openai:{model}",
        "--out",
        str(out),
        "--keep_by",
        "none",
    ]
    words += ["--samples", str(args.samples), "--concurrency", "128", "--timeout", "5"]
    began = time.perf_counter()
    command = [sys.executable, "-m", "datagen.cli", *words]
    environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=900, env=environment, check=False
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:
        told = json.load(reply)
    again = told["answered_again"] - told.get("empty", 0)  # a reply without choices is no answer
    return seconds, {"requests": told["requests"], "again": max(again, 0)}


def counted(out: Path, number: int, samples: int) -> Counter[str]:
    """Rows by what became of them. Every question has its `samples` rows, or one that says that it
    failed."""
    import pyarrow.parquet as pq

    counts, seen = Counter[str](), Counter[str]()
    for config in ("rationales", "rejected"):
        table = pq.read_table(out / f"{config}.parquet")
        reasons = table["reason"].to_pylist() if config == "rejected" else ["accepted"] * len(table)
        counts.update(reasons)
        for parents, reason in zip(table["parents"].to_pylist(), reasons, strict=True):
            seen[parents[0]] += samples if reason == "failed" else 1
    assert len(seen) == number, f"{number - len(seen)} questions left no row"
    assert set(seen.values()) == {samples}, f"not every question has {samples} rows"
    stats = json.loads((out / "stats.json").read_text())
    assert counts["accepted"] == stats["accepted"]["rationales"]
    assert counts - Counter(accepted=counts["accepted"]) == Counter(stats["rejected"])
    return counts


@contextmanager
def serving(
    args: argparse.Namespace, extra: Sequence[str], *, own: bool = False
) -> Iterator[tuple[str, str]]:
    own = own or not args.server or any(flag in extra for flag in OWN)
    command = (
        [sys.executable, "-m", "tests.bench.faults", "--serve"] if own else args.server.split()
    )
    command += ["--port", str(PORT), "--latency-ms", "20", *extra]
    server = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{PORT}"
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{url}/stats").close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"{url}/v1", "arith" if own else args.model
    finally:
        server.kill()
        server.wait()


async def serve(args: argparse.Namespace) -> None:
    """The endpoint of the tests; after `gone_after` requests it hangs up on everyone, and is back
    later."""
    from aiohttp import web

    from tests.datagen.endpoint import Endpoint

    class Counting(Endpoint):
        async def stats(self, request: web.Request) -> web.Response:
            again = sum(count - 1 for count in self.answered.values())
            return web.json_response({"requests": len(self.bodies), "answered_again": again})

    rates = {fault: getattr(args, f"{name}_rate") for name, fault in RATES.items()}
    endpoint = Counting(
        rates={fault: rate for fault, rate in rates.items() if rate},
        latency=args.latency_ms / 1000,
        rate_limit=args.rate_limit,
        retry_after="1",
    )
    gone = False
    while True:
        runner = web.AppRunner(endpoint.app(), shutdown_timeout=0.01, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", args.port, reuse_address=True).start()
        while gone or not args.gone_after or len(endpoint.bodies) < args.gone_after:
            await asyncio.sleep(0.05)
        gone = True
        await runner.cleanup()
        await asyncio.sleep(args.gone_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--server", default="", help="command of a server that takes the flags named above"
    )
    parser.add_argument("--model", default="arith")
    parser.add_argument(
        "--questions", type=Path, help="JSONL with a column question; without it, sums"
    )
    parser.add_argument("--requests", type=int, default=2638)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--only", nargs="*", choices=list(SCENARIOS), help="these scenarios")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=PORT, help=argparse.SUPPRESS)
    numbers: dict[str, Any] = {"type": float, "default": 0.0, "help": argparse.SUPPRESS}
    for name in (*(f"{name}-rate" for name in RATES), "latency-ms", "gone-after", "gone-seconds"):
        parser.add_argument(f"--{name}", **numbers)
    parser.add_argument("--rate-limit", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(serve(args))
    else:
        compare(args)


if __name__ == "__main__":
    main()
