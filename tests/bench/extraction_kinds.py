"""How the extractor reads near misses of answers, by kind.

    python tests/bench/extraction_kinds.py [near_misses.jsonl]

A line of the file has a `text`, the `type` and `options` of its question, the right `answer` (null
if the text states none) and the `kind` of what makes it hard. With `or_none`, no answer is right
too. Prints a table: right, a wrong answer taken (false accept), an answer not read (false reject).
Run it with another checkout in PYTHONPATH to compare."""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from datagen.answers import extract

FILE = Path(__file__).parents[1] / "datagen" / "answers" / "near_misses.jsonl"


def verdict(row: dict[str, Any]) -> str:
    """ "right", "false accept" or "false reject"."""
    found = extract(row["text"], row["type"], options=row.get("options", ()))
    if found == row["answer"] or (found is None and row.get("or_none")):
        return "right"
    return "false reject" if found is None else "false accept"


def main() -> None:
    parser = argparse.ArgumentParser(description="Near misses of answers, by kind.")
    parser.add_argument("path", type=Path, nargs="?", default=FILE, help="near misses, JSON lines")
    parser.add_argument("--show", action="store_true", help="print the texts that are not right")
    settings = parser.parse_args()

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in settings.path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found = verdict(row)
        counts[row["kind"]][found] += 1
        counts["all"][found] += 1
        if settings.show and found != "right":
            answer = extract(row["text"], row["type"], options=row.get("options", ()))
            print(f"{found} ({row['kind']}): {row['text']!r} -> {answer!r}, not {row['answer']!r}")

    print("| kind | items | right | false accepts | false rejects |\n|---|---|---|---|---|")
    for kind in [*sorted(counts.keys() - {"all"}), "all"]:
        of = counts[kind]
        cells = (of.total(), of["right"], of["false accept"], of["false reject"])
        print(f"| {kind} | {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
