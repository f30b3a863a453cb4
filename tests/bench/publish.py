"""Publish rows with stored probabilities (about 1 GB) on a Hub of this machine: time, memory,
requests.

    python -m tests.bench.publish --rows 100000

The publisher is a process of its own, so its peak memory is its own; so are the second, which finds
the version there, and the one that pulls it. The Hub takes large files through LFS; Xet it does not
speak."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datagen.schema import TOPK, arrow_schema
from datagen.topk.columns import with_topk
from tests.datagen.publish.conftest import make_run, row
from tests.hub.server import TOKEN, Hub, serve

GROUP = 256
"""Rows of a row group, as `datagen topk` writes them."""


def topk(rows: int, tokens: int, k: int, rng: np.random.Generator) -> pa.Array:
    """The column of `rows` rows of about `tokens` tokens: noise that no codec makes smaller."""
    lengths = rng.integers(tokens // 2, 2 * tokens - tokens // 2 + 1, rows)
    ends, n = pa.array(np.cumsum([0, *lengths]), pa.int32()), int(lengths.sum())
    steps = pa.array(np.arange(n + 1) * k, pa.int32())
    ids = pa.ListArray.from_arrays(steps, pa.array(rng.integers(0, 150_000, n * k, np.int32)))
    logprobs = pa.ListArray.from_arrays(
        steps, pa.array(rng.gumbel(-8, 3, n * k).astype(np.float16))
    )
    flat = [
        pa.array(rng.integers(0, 150_000, n, np.int32)),
        ids,
        logprobs,
        pa.array(rng.random(n, np.float32)),
    ]
    fields = with_topk(arrow_schema("answers")).field(TOPK).type
    lists = [pa.ListArray.from_arrays(ends, values) for values in flat]
    return pa.StructArray.from_arrays(
        [*lists, pa.array(["0123456789abcdef"] * rows)], fields=fields
    )


def tables(rows: int, tokens: int, k: int, seed: int) -> Iterator[pa.Table]:
    rng, schema = np.random.default_rng(seed), with_topk(arrow_schema("rationales"))
    for start in range(0, rows, GROUP):
        count = min(GROUP, rows - start)
        plain = pa.Table.from_pylist(
            [row(start + i) for i in range(count)], schema=arrow_schema("rationales")
        )
        yield plain.append_column(schema.field(TOPK), topk(count, tokens, k, rng))


def write_run(folder: Path, rows: int, tokens: int, k: int, seed: int) -> int:
    """A finished run whose rationales have the column. Returns the bytes of its file."""
    make_run(folder, rows=2)
    stats = json.loads((folder / "stats.json").read_text())
    stats["accepted"] = {"rationales": rows, "answers": 2}
    (folder / "stats.json").write_text(json.dumps(stats))
    file = folder / "rationales.parquet"
    with pq.ParquetWriter(
        file, with_topk(arrow_schema("rationales")), compression="zstd"
    ) as writer:
        for table in tables(rows, tokens, k, seed):
            writer.write_table(table)
    return file.stat().st_size


def measured(hub: Hub, environment: dict[str, str], *words: str) -> dict[str, Any]:
    """Run a command of `datagen`: seconds, seconds of CPU, peak memory, requests by route."""
    before, begun = len(hub.routes), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "datagen.cli", *words], env=os.environ | environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{words} ended with status {os.waitstatus_to_exitcode(status)}")
    return {
        "command": " ".join(words[:1]),
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
        "requests": len(hub.routes) - before,
        "routes": dict(Counter(hub.routes[before:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tokens", type=int, default=100, help="of a completion, on average")
    parser.add_argument("--k", type=int, default=16, help="probabilities of a token")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "large").mkdir()
        hub, _ = serve(place / "large")
        size = write_run(place / "run", args.rows, args.tokens, args.k, args.seed)
        print(
            json.dumps({"rows": args.rows, "run_mb": round(size / 1e6), "transport": "LFS"}),
            flush=True,
        )
        names = {
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(place / "home"),
        }
        names["EMERGENT_STORE"] = str(place / "store")
        publish = ["publish", str(place / "run"), "org/topk", "--hub"]
        for words in (publish, publish, ["pull", "org/topk"]):
            print(json.dumps(measured(hub, names, *words)), flush=True)
        files = hub.repositories["org/topk"].main.files
        print(json.dumps({path: blob.size for path, blob in files.items() if blob.large}))
        assert list(hub.repositories["org/topk"].tags) == ["v1.0.0"]


if __name__ == "__main__":
    main()
