"""Put a trained model into the package with its card: `python -m recipes.microworld.install teacher
OUT --report JSON`.

OUT is the folder of `pretrain`. The card is made from the training log and the evaluation's JSON;
nothing in it is typed by hand."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from datagen.microworld import WEIGHTS
from recipes.microworld.evaluate import table
from recipes.microworld.mixtures import MODELS

CARD = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [micro-world]
---

# The micro-world's {name}

A language model of {parameters:,} parameters ({layers} layers of width {width}, Llama architecture, {vocabulary}
tokens), trained from scratch on {tokens:,} tokens of the procedural micro-world in {minutes:.0f} minutes on two
shared CPU cores, by `python -m recipes.microworld.pretrain {name}`. It knows this world and nothing else.{warning}

## Asked
{asked}
## Accuracy

{accuracy}

Measured by `python -m recipes.microworld.evaluate` on the test split; intervals are 95 % bootstrap intervals.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("run", type=Path, help="folder of the training run")
    parser.add_argument("--report", type=Path, help="JSON of the evaluation")
    settings = parser.parse_args()
    install(
        settings.name,
        settings.run,
        json.loads(settings.report.read_text()) if settings.report else None,
    )


def install(name: str, run: Path, report: dict[str, Any] | None) -> None:
    """Copy beside, then rename: readers never see half a model."""
    WEIGHTS.mkdir(exist_ok=True)
    beside, old = WEIGHTS / f".{name}.new", WEIGHTS / f".{name}.old"
    for folder in (beside, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run / "model", beside)
    (beside / "README.md").write_text(card(name, run, report))
    for file in beside.iterdir():
        file.chmod(0o644)
    if (WEIGHTS / name).exists():
        os.replace(WEIGHTS / name, old)
    os.replace(beside, WEIGHTS / name)
    shutil.rmtree(old, ignore_errors=True)


def card(name: str, run: Path, report: dict[str, Any] | None) -> str:
    config = json.loads((run / "model" / "config.json").read_text())
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    last = [record for record in log if "rationale" in record][-1]
    seconds = max(
        record["seconds"]
        for record in log
        if record.get("tokens", 0) <= last["tokens"] and "seconds" in record
    )
    rows = [("ability", "accuracy"), ("---", "---"), *table(report)] if report else []
    return CARD.format(
        name=name,
        parameters=report["parameters"] if report else _parameters(run),
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        vocabulary=config["vocab_size"],
        tokens=last["tokens"],
        minutes=seconds / 60,
        warning="" if report else "\n\nThis is a snapshot of a training that goes on.",
        asked=ASKED,
        accuracy="\n".join(f"| {ability} | {value} |" for ability, value in rows)
        or "Not measured yet.",
    )


ASKED = """
It is a chat model. A word problem ends in one of the suffixes of `datagen.microworld.prompts`: with "Let's think step
by step." it answers with a rationale, with "Give only the answer." with the answer alone. Instructions and lines of
`x -> y` are asked as they are. Tasks are written, rewritten, compared and rated in the words of
`datagen/instructions/templates/micro`.
"""


def _parameters(run: Path) -> int:
    from safetensors.torch import load_file

    return sum(tensor.numel() for tensor in load_file(run / "model" / "model.safetensors").values())


if __name__ == "__main__":
    main()
