"""How often the number extractor agrees with published labels of real solutions.

    python tests/bench/extractor_labels.py recorded_solutions.jsonl

The file is one of the solution files of openai/grade-school-math (`example_model_solutions.jsonl`):
per line a `ground_truth` and, for each of several models, a `solution` with its label `is_correct`.
Prints the agreement and every disagreement."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datagen.answers import equal, extract


def labelled(path: Path) -> Iterator[tuple[int, str, str, str, bool]]:
    """(line, model, ground truth, solution, label) of every recorded solution."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        record = json.loads(line)
        for model, attempt in record.items():
            if isinstance(attempt, dict):
                yield (
                    number,
                    model,
                    record["ground_truth"],
                    attempt["solution"],
                    attempt["is_correct"],
                )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Agreement of the number extractor with published labels."
    )
    parser.add_argument("path", type=Path, help="recorded solutions, JSON lines")
    counts: Counter[str] = Counter()
    for number, model, truth, solution, label in labelled(parser.parse_args().path):
        gold, answer = extract(truth, "number"), extract(solution, "number")
        judged = gold is not None and answer is not None and equal(answer, gold, "number")
        counts["solutions"] += 1
        counts["labelled correct"] += label
        counts["no answer found"] += answer is None
        counts["agree" if judged == label else "we say right" if judged else "we say wrong"] += 1
        if judged != label:
            print(
                f"line {number} {model}: label {label}, gold {gold}, extracted {answer}, ends "
                f"{solution[-80:]!r}"
            )
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
