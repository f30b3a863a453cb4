"""Distil in-context learning: episodes of demonstrations, and a student that reads them.

The embedded teacher answers, so no key, no GPU and no network is needed. Open this file in an
editor that knows `# %%` cells, or run it: `python examples/in_context.py`.
"""

# %% Where everything is written. The same cell again goes on where it was stopped.
import os
from pathlib import Path

import datagen
import train
from datagen.microworld import WEIGHTS

folder = Path(os.environ.get("EXAMPLES", "runs/examples/in_context"))
queries = int(os.environ.get("QUERIES", "20"))

# %% Build episodes: demonstrations of a rule, a query, and its answer.
run = datagen.generate_demonstrations(
    "micro",
    kind="meta-ict",
    strategy="knn",
    shots="1,2,4",
    queries=queries,
    out=folder / "episodes",
)
print(run)
row = next(run.rows("demonstrations"))
print(row["prompt"][-1]["content"], "=>", row["completion"][-1]["content"])

# %% How good is the teacher with so many demonstrations?
for shots, found in run.stats["accuracy"].items():
    print(f"k = {shots}: {found['accuracy']:.2f} of {found['episodes']} episodes")

# %% Publish the episodes, and train a student to read demonstrations.
version = run.publish("example-episodes", store=folder / "datasets", license="apache-2.0")
base = WEIGHTS / "student"
student = train.fit_sft(
    base,
    data=version,
    dataset_config="demonstrations",
    demonstration_weight=1.0,
    output_dir=folder / "student",
    max_steps=int(os.environ.get("STEPS", "60")),
    learning_rate=1e-3,
    per_device_train_batch_size=16,
)

# %% Accuracy by number of demonstrations: base, student, teacher.
report = train.evaluate_models(
    base=f"hf:{base}",
    students={"student": student},
    teacher="micro",
    suites=["in-context/category"],
    limit=int(os.environ.get("TEST_QUERIES", "10")),
    demonstration_seeds=2,
    out=folder / "report",
)
print(report.table())
