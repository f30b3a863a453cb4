"""Write the micro-world's seed tasks: `python -m recipes.microworld.seeds >
datagen/instructions/seeds/micro.jsonl`.

They are few and easy, as seeds are: one operation mostly, all of the training split, and some that
label lists."""

from __future__ import annotations

import json
from random import Random

from datagen.microworld import writing
from datagen.microworld.instructions import draw

OPERATIONS = {1: 30, 2: 6}
"""How many tasks by number of operations."""
LABELLINGS = 7


def main() -> None:
    rng, written = Random("0:seeds"), dict[str, writing.Task]()
    for operations, count in OPERATIONS.items():
        for _ in range(count):
            task = draw(rng, "train", operations=operations)
            written.setdefault(
                task.instruction, writing.Task(task.instruction, (("", task.answer),))
            )
    used: set[str] = set()
    while len(used) < 3 * LABELLINGS:
        labelling = writing.labelling(rng, "train")
        _, yes, _, _, category, no, _ = labelling.instruction.replace(",", "").split()
        if not used & {
            yes,
            category,
            no,
        }:  # with one of these in common two of them would be near duplicates
            used |= {yes, category, no}
            written[labelling.instruction] = labelling
    for number, task in enumerate(written.values(), 1):
        print(json.dumps(record(f"micro-{number:03}", task)))


def record(name: str, task: writing.Task) -> dict[str, object]:
    instances = [{"input": given, "output": output} for given, output in task.examples]
    return {
        "id": name,
        "instruction": task.instruction,
        "instances": instances,
        "is_classification": task.is_classification,
    }


if __name__ == "__main__":
    main()
