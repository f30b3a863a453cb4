"""How fast the novelty filter is, and whether it decides as `rouge_score` does.

    python tests/bench/novelty.py [--pool LINES.txt.gz] [--reference 3000]

Prints, in processor time of this process on one core (other processes on the machine cost it
little): the decisions of both on the first lines of the pool, one greedy pass each; the time of a
pair in both; seconds and peak memory of passes over growing pools. Beyond the pool's own lines,
lines are made from the halves of two of them. `rouge_score` is no dependency of the project: pip
install rouge_score."""

from __future__ import annotations

import argparse
import gzip
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datagen.filters.novelty import Novelty, lcs
from datagen.filters.tokens import tokens

SIZES = (13_000, 26_000, 52_000, 104_000)
PAIRS = 2_000


def read_pool(path: Path | None) -> list[str]:
    """The lines of a file; without one, lines of words drawn by Zipf's law, a third of them changed
    copies."""
    if path is not None:
        content = path.read_bytes()
        return (
            (gzip.decompress(content) if path.suffix == ".gz" else content)
            .decode("utf-8")
            .splitlines()
        )
    rng, lines = random.Random("bench:pool"), list[list[str]]()
    vocabulary = [f"word{n}" for n in range(30_000)]
    weights = [1 / (n + 3) for n in range(30_000)]
    for _ in range(SIZES[2]):
        if lines and rng.random() < 0.33:
            line = list(rng.choice(lines))
            for _ in range(rng.randint(0, len(line) // 3)):
                line[rng.randrange(len(line))] = rng.choice(vocabulary)
        else:
            line = rng.choices(vocabulary, weights, k=rng.randint(5, 35))
        lines.append(line)
    return [" ".join(line) for line in lines]


def grown(lines: list[str], size: int) -> list[str]:
    """The first `size` lines, and as many more as are missing."""
    rng, made = random.Random("bench:grown"), lines[:size]
    while len(made) < size:
        left, right = rng.choice(lines).split(), rng.choice(lines).split()
        made.append(" ".join(left[: len(left) // 2] + right[len(right) // 2 :]))
    return made


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def against_reference(lines: list[str]) -> None:
    """The same greedy pass by `rouge_score`, its tokens kept, pair by pair; and the time of a
    pair."""
    try:
        from rouge_score import rouge_scorer
        from rouge_score.tokenizers import DefaultTokenizer
    except ImportError:
        print("rouge_score is not installed (pip install rouge_score): no comparison")
        return
    words = [DefaultTokenizer(False).tokenize(line) for line in lines]
    score: Callable[[list[str], list[str]], Any] = rouge_scorer._score_lcs
    bags = [Counter(line) for line in words]

    def similar(i: int, j: int) -> bool:
        """What two lines share as bags bounds their LCS; 0.69 leaves room for the reference's
        rounding."""
        shared = sum(min(count, bags[j][word]) for word, count in bags[i].items())
        if 2 * shared <= 0.69 * (len(words[i]) + len(words[j])):
            return False
        return bool(score(words[j], words[i]).fmeasure > 0.7)

    def greedy() -> list[bool]:
        admitted = list[int]()
        for i in range(len(lines)):
            if not any(similar(i, j) for j in admitted):
                admitted.append(i)
        kept = set(admitted)
        return [place in kept for place in range(len(lines))]

    theirs_s, theirs = timed(greedy)
    ours_s, ours = timed(lambda: Novelty().admit_all(lines))
    agree = sum(a == b for a, b in zip(ours, theirs, strict=True))
    print(
        f"decisions on {len(lines):,} lines: {agree:,} the same, {len(lines) - agree} not; "
        f"novel {sum(ours):,}"
    )
    print(
        f"  rouge_score {theirs_s:,.1f} s (without the pairs that share too few words), ours "
        f"{ours_s:.2f} s"
    )
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    rng = random.Random("bench:pairs")
    chosen = [(rng.choice(lines), rng.choice(lines)) for _ in range(PAIRS)]
    theirs_s, reference = timed(lambda: [scorer.score(a, b)["rougeL"].fmeasure for a, b in chosen])
    print(f"a pair by rouge_score: {theirs_s / PAIRS * 1e6:,.1f} µs with its tokenisation")
    compare_scores(chosen, reference)
    total, novel = len(lines) * (len(lines) - 1) / 2, timed(lambda: Novelty().admit_all(lines))[0]
    print(
        f"a pair of the pass by ours: {novel / total * 1e9:,.1f} ns "
        f"({theirs_s / PAIRS / (novel / total):,.0f} times)"
    )


def compare_scores(chosen: list[tuple[str, str]], reference: list[float]) -> None:
    """The LCS of RapidFuzz gives the reference's number."""
    code: dict[str, str] = {}
    left, right = (
        ["".join(code.setdefault(w, chr(len(code))) for w in tokens(line)) for line in side]
        for side in zip(*chosen, strict=True)
    )
    seconds, common = timed(lambda: lcs(left, right))
    ours = [2 * int(n) / (len(a) + len(b)) for n, a, b in zip(common, left, right, strict=True)]
    worst = max(abs(a - b) for a, b in zip(ours, reference, strict=True))
    print(
        f"a pair by RapidFuzz, one call: {seconds / len(ours) * 1e9:,.0f} ns; largest "
        f"difference {worst:.0e}"
    )


def growth(pool: Path | None) -> None:
    """Each size in a process of its own, for its peak memory."""
    print(f"{'lines':>8} {'novel':>8} {'seconds':>8} {'ns/pair':>8} {'peak MiB':>9}")
    for size in SIZES:
        command = [
            sys.executable,
            __file__,
            "--one",
            str(size),
            *(["--pool", str(pool)] if pool else []),
        ]
        print(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout,
            end="",
            flush=True,
        )


def one(lines: list[str], size: int) -> None:
    texts = grown(lines, size)
    seconds, novel = timed(lambda: Novelty().admit_all(texts))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size:8,} {sum(novel):8,} {seconds:8.2f} "
        f"{seconds / (size * (size - 1) / 2) * 1e9:8.2f} {peak:9.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and agreement of the novelty filter.")
    parser.add_argument(
        "--pool", type=Path, help="one text a line, plain or .gz; made up by default"
    )
    parser.add_argument(
        "--reference",
        type=int,
        default=3_000,
        help="lines that rouge_score judges as well; 0 for none",
    )
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    lines = read_pool(options.pool)
    if options.one:
        one(lines, options.one)
        return
    growth(options.pool)
    if options.reference:
        against_reference(lines[: options.reference])


if __name__ == "__main__":
    main()
