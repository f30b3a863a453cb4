"""Print what the runs below a folder accepted, and what they rejected for which reason.

python recipes/real-small/rejections.py runs/real-small            # the table
python recipes/real-small/rejections.py runs/real-small --texts 10 # and some rejected texts
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

LONGEST = 300
"""Characters of a text that are printed."""


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("folder", type=Path)
    flags.add_argument("--texts", type=int, default=0, help="rejected texts to print")
    asked = flags.parse_args()
    runs = sorted(file.parent for file in asked.folder.glob("*/stats.json"))
    print("| run | accepted | rejected |\n|---|---|---|")
    for run in runs:
        stats = json.loads((run / "stats.json").read_text())
        reasons = sorted(stats["rejected"].items(), key=lambda item: -item[1])
        rejected = ", ".join(f"{reason} {count}" for reason, count in reasons) or "-"
        print(f"| {run.name} | {sum(stats['accepted'].values())} | {rejected} |")
    rows = [(run.name, row) for run in runs for row in rejected_rows(run)]
    for name, row in random.Random(0).sample(rows, min(asked.texts, len(rows))):
        print(f"\n{name}: {row['reason']}\n{text_of(row)[:LONGEST]!r}")


def rejected_rows(run: Path) -> list[dict[str, Any]]:
    file = run / "rejected.parquet"
    return pq.read_table(file).to_pylist() if file.exists() else []


def text_of(row: dict[str, Any]) -> str:
    """Return what the teacher wrote: the answer, or else the instruction."""
    answer = "".join(turn["content"] for turn in row.get("completion") or [])
    return answer or row.get("instruction") or ""


if __name__ == "__main__":
    main()
