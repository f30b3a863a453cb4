"""Distil instruction following: new instructions, harder ones, clean ones, and a student.

The embedded teacher answers, so no key, no GPU and no network is needed. Open this file in an
editor that knows `# %%` cells, or run it: `python examples/instructions.py`.
"""

# %% Where everything is written. The same cell again goes on where it was stopped.
import os
from pathlib import Path

import datagen
import train
from datagen.microworld import WEIGHTS

folder = Path(os.environ.get("EXAMPLES", "runs/examples/instructions"))
target = int(os.environ.get("TARGET", "60"))

# %% Self-Instruct: the teacher writes new instructions from seed tasks, then their outputs.
new = datagen.generate_self_instruct(target=target, out=folder / "new")
print(new)

# %% Evol-Instruct: rewrite them into harder ones, two rounds.
evolved = datagen.generate_evol_instruct(new, rounds=2, limit=target // 2, out=folder / "evolved")
print(evolved.stats.accepted, evolved.stats.rejected)


# %% Leave out duplicates, and what a filter of our own rejects.
def long_output(row):
    """Reject a row whose output is longer than twelve words."""
    return "long_output" if len(row["output"].split()) > 12 else None


clean = datagen.filter_rows(new, filters=[long_output], near_duplicates=0.8, out=folder / "clean")
print(clean.stats.accepted, clean.stats.rejected)

# %% Is an instruction new? The same measure that Self-Instruct uses is a small tool.
pool = datagen.Novelty(0.7, neighbours=1)
for row in clean.rows():
    pool.add(row["instruction"], row["id"])
print(pool.compare("reverse the words : red blue green"))

# %% Publish, train a student, and measure it on instructions of one operation.
version = clean.publish("example-instructions", store=folder / "datasets", license="apache-2.0")
base = WEIGHTS / "student"
student = train.fit_sft(
    base,
    data=version,
    dataset_config="instructions",
    output_dir=folder / "student",
    max_steps=int(os.environ.get("STEPS", "60")),
    learning_rate=1e-3,
    per_device_train_batch_size=16,
)
report = train.evaluate_models(
    base=f"hf:{base}",
    students={"student": student},
    teacher="micro",
    suites=["microworld/instructions-1"],
    limit=40,
    samples=0,
    out=folder / "report",
)
print(report.table())
