"""Write the micro-world's seed tasks: `python -m recipes.microworld.seeds >
datagen/instructions/self_instruct/seeds/micro.jsonl`.

They are few and easy, as seed tasks are. Most have one operation, some label lists, and all belong
to the training split.
"""

from __future__ import annotations

import json
from random import Random

from datagen.microworld import writing
from datagen.microworld.instructions import draw

OPERATIONS = {1: 30, 2: 6}
"""The number of seed tasks for each number of operations."""
LABELLINGS = 7
"""The number of seed tasks that label lists. Seven of 43 is near the share of classification tasks
among the seeds of Self-Instruct."""


def main() -> None:
    """Print the seed tasks."""
    rng = Random("0:seeds")
    written: dict[str, writing.Task] = {}
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
        # Two tasks with a label or the category in common would be near duplicates.
        if not used & {yes, category, no}:
            used |= {yes, category, no}
            written[labelling.instruction] = labelling
    for number, task in enumerate(written.values(), 1):
        print(json.dumps(record(f"micro-{number:03}", task)))


def record(name: str, task: writing.Task) -> dict[str, object]:
    """Return a task in the format of Self-Instruct."""
    instances = [{"input": given, "output": output} for given, output in task.examples]
    return {
        "id": name,
        "instruction": task.instruction,
        "instances": instances,
        "is_classification": task.is_classification,
    }


if __name__ == "__main__":
    main()
