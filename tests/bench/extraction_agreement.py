"""How often our reading of recorded answers agrees with the verdict that was published with them.

    python tests/bench/extraction_agreement.py FOLDER [--show]

FOLDER holds recorded texts in either of two published forms, at any depth:

- `*.log` of zero-shot chain-of-thought runs (arXiv 2205.11916): blocks with a question, a text, the
  answer that was read from it (`pred_mode`) and the gold answer (`GT`). The verdict is their
  equality.
- `*.json` of BIG-Bench Hard runs (arXiv 2210.09261): `outputs` with input, prediction and target.
  The verdict is the published rule: the words behind "the answer is" equal the target.

Prints a line for each file: texts, agreement, accuracy by either reading, and of the disagreements
how many we accept and how many we reject."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from datagen.answers import equal, extract

TYPES = {
    "aqua": "choice",
    "commonsensqa": "choice",
    "date_understanding": "choice",
    "shuffled_objects": "choice",
    "coin_flip": "yesno",
    "strategyqa": "yesno",
    "last_letters": "text",
}
"""The answer types of the log files; of the others it is a number."""
WORDS = (("yes", "no"), ("true", "false"), ("valid", "invalid"))


class Recorded(NamedTuple):
    """A recorded text with its gold answer and the verdict that was published."""

    text: str
    gold: str
    answer_type: str
    options: tuple[str, ...]
    verdict: bool


def from_log(path: Path) -> Iterator[Recorded]:
    """Yield the texts of a log of zero-shot chain of thought."""
    suite = re.sub(r"_zero_shot.*", "", path.stem)
    for block in path.read_text(encoding="utf-8").split("*" * 25):
        text = re.search(r"^Q: (.*?)\n *A: ?(.*?)\npred_before ?:", block, re.DOTALL | re.MULTILINE)
        read = re.search(r"^pred_mode ?: ?(.*)\nGT ?: ?(.*)$", block, re.MULTILINE)
        if text and read:
            options = re.findall(r"\([A-Z]\) ?(.*?)(?= \([A-Z]\)|$)", text[1], re.DOTALL)
            kind = TYPES.get(suite, "number")
            yield Recorded(
                text[2],
                read[2].strip(),
                kind,
                tuple(options) if kind == "choice" else (),
                read[1].strip() == read[2].strip(),
            )


def from_outputs(path: Path) -> Iterator[Recorded]:
    """Yield the texts of a file of BIG-Bench Hard outputs."""
    outputs = json.loads(path.read_text(encoding="utf-8")).get("outputs", [])
    targets = {output["target"].strip().lower() for output in outputs}
    words = next((pair for pair in WORDS if targets <= set(pair)), ())
    for output in outputs:
        target = output["target"].strip()
        listed = (
            output["input"].rpartition("Options:")[2] if re.match(r"\([A-Z]\)$", target) else ""
        )
        options = tuple(re.findall(r"^\([A-Z]\) ?(.*)$", listed, re.MULTILINE))
        kind = "yesno" if words else "choice" if options else "text"
        if re.fullmatch(r"-?\d+", target):
            kind = "number"
        said = output["prediction"].rpartition("answer is ")[2].strip().rstrip(".")
        yield Recorded(output["prediction"], target, kind, options or words, said == target)


def judged(item: Recorded) -> bool:
    """Whether we read the gold answer from the text."""
    found = extract(item.text, item.answer_type, options=item.options)
    return found is not None and equal(found, item.gold, item.answer_type)


def main() -> None:
    parser = argparse.ArgumentParser(description="Agreement with published verdicts.")
    parser.add_argument("folder", type=Path, help="recorded texts")
    parser.add_argument("--show", action="store_true", help="print the disagreements")
    settings = parser.parse_args()

    print("| file | texts | agree | published | ours | we accept | we reject |")
    print("|---|---|---|---|---|---|---|")
    total = [0, 0]
    for path in sorted(settings.folder.rglob("*")):
        readers = {".log": from_log, ".json": from_outputs}
        items = list(readers[path.suffix](path)) if path.suffix in readers else []
        ours = [judged(item) for item in items]
        agree = sum(item.verdict == own for item, own in zip(items, ours, strict=True))
        accept = sum(own and not item.verdict for item, own in zip(items, ours, strict=True))
        total = [total[0] + len(items), total[1] + agree]
        if items:
            print(
                f"| {path.stem} | {len(items)} | {agree / len(items):.4f} "
                f"| {sum(item.verdict for item in items) / len(items):.3f} "
                f"| {sum(ours) / len(items):.3f} | {accept} | {len(items) - agree - accept} |"
            )
        for item, own in zip(items, ours, strict=True):
            if settings.show and item.verdict != own:
                print(
                    f"  {'accepted' if own else 'rejected'}, gold {item.gold}: {item.text[-90:]!r}"
                )
    if total[0]:
        print(f"| all | {total[0]} | {total[1] / total[0]:.4f} | | | | |")


if __name__ == "__main__":
    main()
