"""One program goes from a teacher to a report, as a script and inside a running event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import datagen, train
from datagen.microworld import WEIGHTS

base = WEIGHTS / "student"
run = datagen.generate_rationales(
    "microworld", teacher="micro", samples=4, limit=20, answer_type="number", out="runs/sums"
)
# every chain is accounted for
assert run.stats.accepted["rationales"] + sum(run.stats.rejected.values()) == 20 * 4
assert len(run.to_pandas("rationales")) == run.stats.accepted["rationales"]

version = run.publish("sums-rationales", license="apache-2.0", store="store")
assert version.lineage.teacher.name == "micro"
assert version.load("rationales").num_rows == run.stats.accepted["rationales"]

student = train.fit_sft(
    base, data=version, answer_weight=0.5, output_dir="students/a", max_steps=1, report_to="none"
)
report = train.evaluate_models(
    base=f"hf:{base}", students={"a": student}, teacher="micro", suites=["microworld"],
    limit=8, samples=0, max_tokens=32,
)
gap = report.gap_closed("a", "microworld")
assert gap is None or gap.low <= gap.value <= gap.high
assert "microworld" in report.table() and (report.save("reports/a") / "report.json").exists()

teacher = datagen.connect("micro")
assert len(teacher.ask("What is 2 plus 3?", samples=4)) == 4
assert datagen.equal(datagen.extract("The answer is 0.5.", "number"), "1/2", "number")
assert datagen.vote(["7", "8", "7", None]).answer == "7"
assert datagen.Novelty(0.7).admit("Name a city.", "a").novel
"""


@pytest.mark.parametrize("loop", [False, True], ids=["script", "running loop"])
def test_the_program_runs(loop, tmp_path):
    code = PROGRAM
    if loop:
        code = f"async def main():\n{textwrap.indent(PROGRAM, '    ')}\nimport asyncio\n"
        code += "asyncio.run(main())\n"
    file = tmp_path / "program.py"
    file.write_text(code)
    done = subprocess.run(
        [sys.executable, file], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_teacher_is_asked_from_inside_a_loop_too():
    import datagen

    async def ask():
        teacher = datagen.connect("micro")
        return teacher.ask("What is 2 plus 3?"), await teacher.aask("What is 2 plus 3?")

    alone, awaited = asyncio.run(ask())
    assert alone == awaited
