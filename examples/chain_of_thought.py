"""Distil chain-of-thought reasoning into a small model, cell by cell.

The embedded teacher answers, so no key, no GPU and no network is needed. Open this file in an
editor that knows `# %%` cells, or run it: `python examples/chain_of_thought.py`.
"""

# %% Where everything is written. The same cell again goes on where it was stopped.
import os
from pathlib import Path

import datagen
import train
from datagen.microworld import WEIGHTS

folder = Path(os.environ.get("EXAMPLES", "runs/examples/chain_of_thought"))
base = WEIGHTS / "student"  # the small model that is to learn
questions = int(os.environ.get("QUESTIONS", "200"))

# %% The teacher itself: ask it one question, four times.
with datagen.connect("micro") as teacher:
    question = "Mia has 3 apples and buys 4 more. How many apples does Mia have?"
    for completion in teacher.ask(question, samples=4, max_tokens=80):
        answer = datagen.extract(completion.text, "number")
        print(f"{answer}: {completion.text[:70]!r}")

# %% What would a run cost? Nothing is asked here.
print(datagen.forecast("rationales", source="microworld", limit=questions, samples=4))

# %% Sample four chains for each question. Keep the chains whose answer is right.
run = datagen.generate_rationales(
    "microworld", limit=questions, samples=4, max_tokens=120, out=folder / "chains"
)
print(run)
print(run.stats.accepted, run.stats.rejected)

# %% Look at rows: what was kept, and what was rejected for which reason.
kept = run.to_pandas("rationales")
rejected = run.to_pandas("rejected")
print(kept[["question", "answer", "rationale"]].head(3).to_string())
print(rejected["reason"].value_counts())

# %% Publish the rows as an immutable version with its lineage.
version = run.publish("example-sums", store=folder / "datasets", license="apache-2.0")
print(version.reference, version.configs)

# %% Train a student on the chains, and another one on the answers alone.
steps = int(os.environ.get("STEPS", "60"))
students = {
    arm: train.fit_sft(
        base,
        data=version,
        dataset_config=arm,
        output_dir=folder / "students" / arm,
        max_steps=steps,
        learning_rate=1e-3,
        per_device_train_batch_size=16,
    )
    for arm in ("rationales", "answers")
}

# %% Ask base, students and teacher the same held-out questions.
report = train.evaluate_models(
    base=f"hf:{base}",
    students={
        "rationales": students["rationales"],
        "answers": f"hf:{students['answers'].path}:direct",
    },
    teacher="micro",
    suites=["microworld"],
    limit=min(questions, 100),
    samples=0,
    out=folder / "report",
)
print(report.table())
print("gap closed:", report.gap_closed("rationales", "microworld"))
