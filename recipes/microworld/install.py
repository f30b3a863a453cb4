"""Put a trained model into the package with its card: `python -m recipes.microworld.install teacher
OUT --report JSON`.

OUT is the folder of `pretrain`. The card is made from the training log and the report of the
evaluation. Nothing in it is typed by hand.
"""

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

A language model of {parameters:,} parameters ({layers} layers of width {width}, Llama
architecture, {vocabulary} tokens). It was trained from scratch on {tokens:,} tokens of the
generated micro-world, in {minutes:.0f} minutes on two shared CPU cores, by
`python -m recipes.microworld.pretrain {name}`. It knows this world and nothing else.{warning}

## Prompts
{prompts}
## Accuracy

{accuracy}

`python -m recipes.microworld.evaluate` measured this on the test split. The intervals are 95 %
bootstrap intervals.
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
    """Put the model of a training run into the package.

    Args:
        name: The name of the model.
        run: The folder of the training run.
        report: The report of the evaluation; None before the first one.
    """
    WEIGHTS.mkdir(exist_ok=True)
    new = WEIGHTS / f".{name}.new"
    old = WEIGHTS / f".{name}.old"
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)

    shutil.copytree(run / "model", new)
    (new / "README.md").write_text(card(name, run, report))
    # The files of a checkpoint can be readable for their owner alone.
    for file in new.iterdir():
        file.chmod(0o644)

    # Two renames: a program that loads the model meanwhile never sees half of it.
    if (WEIGHTS / name).exists():
        os.replace(WEIGHTS / name, old)
    os.replace(new, WEIGHTS / name)
    shutil.rmtree(old, ignore_errors=True)


def card(name: str, run: Path, report: dict[str, Any] | None) -> str:
    """Return the model card."""
    config = json.loads((run / "model" / "config.json").read_text())
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    # The model folder was written together with the last probe, not with the last log line.
    last = [record for record in log if "rationale" in record][-1]
    timed = [record for record in log if "seconds" in record]
    seconds = max(
        record["seconds"] for record in timed if record.get("tokens", 0) <= last["tokens"]
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
        warning="" if report else "\n\nThis is a snapshot. The training continues.",
        prompts=PROMPTS,
        accuracy="\n".join(f"| {ability} | {value} |" for ability, value in rows)
        or "Not measured yet.",
    )


PROMPTS = """
It is a chat model. A word problem ends in one of the suffixes of `datagen.microworld.prompts`. With
"Let's think step by step." the model answers with a rationale. With "Give only the answer." it
answers with the answer alone. Instructions and lines of `x -> y` need no suffix. For writing tasks
the model knows the words of `datagen/prompts/templates/micro`.
"""


def _parameters(run: Path) -> int:
    """Count the parameters of the model in a training run."""
    from safetensors.torch import load_file

    return sum(tensor.numel() for tensor in load_file(run / "model" / "model.safetensors").values())


if __name__ == "__main__":
    main()
