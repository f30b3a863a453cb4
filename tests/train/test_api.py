"""The commands of `train` as functions: what they return, in a script and in a running event
loop."""

from __future__ import annotations

import asyncio
import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import datagen
import train
from datagen.errors import UserError
from datagen.records.serialise import to_json
from tests.train.conftest import write_run
from tests.train.test_sft import flags, same, weights
from train.cli import main

ORDER = (
    *("Student", "open_student", "fit_sft", "fit_kd", "fit_gkd"),
    *("evaluate_models", "Report", "probe_student", "push_student"),
)
"""Later examples use the students of earlier ones."""
SETTINGS: dict[str, Any] = {
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
    "save_strategy": "no",
    "disable_tqdm": True,
}


@pytest.fixture(scope="module")
def version(store: Path) -> Any:
    return datagen.load_version("sums@1.0.0", store=store)


@pytest.fixture(scope="module")
def student(base: Path, version: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("api") / "student"
    return train.fit_sft(base, data=version, output_dir=folder, answer_weight=0.5, **SETTINGS)


def test_a_function_trains_what_its_command_trains(
    base: Path, store: Path, student: Any, tmp_path: Path
) -> None:
    words = flags(base, store, tmp_path / "command", **SETTINGS, answer_weight=0.5)
    cut = words.index("--num_train_epochs")
    assert main(["sft", *words[:cut], *words[cut + 2 :], "--save_steps", "500"]) == 0
    assert same(weights(tmp_path / "command"), weights(student.path))
    told = json.loads((tmp_path / "command" / "lineage.json").read_text())
    assert told == to_json(student.lineage)
    assert told == json.loads((student.path / "lineage.json").read_text())


def test_a_student_says_what_it_is_made_from(base: Path, student: Any) -> None:
    assert (student.steps, student.base, student.dataset) == (2, base.name, "sums@1.0.0")
    assert student.spec == f"hf:{student.path}"
    assert student.settings["answer_weight"] == 0.5
    assert "answer\\_weight" in student.card
    assert train.open_student(student.path) == student


def test_a_finished_student_is_returned_as_it_is(base: Path, version: Any, student: Any) -> None:
    before = (student.path / "model.safetensors").stat().st_mtime_ns
    again = train.fit_sft(
        base, data=version, output_dir=student.path, answer_weight=0.5, **SETTINGS
    )
    assert again == student
    assert (student.path / "model.safetensors").stat().st_mtime_ns == before


def test_data_may_be_a_name_a_folder_or_a_version(
    base: Path, store: Path, version: Any, tmp_path: Path
) -> None:
    ways = {"name": "sums@1.0.0", "folder": version.path, "version": version}
    found = [
        train.fit_sft(base, data=data, store=str(store), output_dir=tmp_path / name, **SETTINGS)
        for name, data in ways.items()
    ]
    assert all(same(weights(found[0].path), weights(one.path)) for one in found[1:])
    assert found[0].lineage == found[1].lineage == found[2].lineage


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"answer_weight": 2}, "--answer_weight 2.0: a number from 0 to 1 is needed"),
        ({"learning_rat": 1}, "no flag --learning_rat with these settings"),
        ({"data": "nothing@1.0.0"}, "nothing"),
        ({"model": "/no/such"}, "cannot open the model /no/such: no such folder"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_an_exception_of_one_line(
    base: Path, version: Any, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    words = {"model": base, "data": version, "output_dir": tmp_path / "out", **SETTINGS, **changes}
    with pytest.raises(UserError) as error:
        train.fit_sft(words.pop("model"), **words)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def report(base: Path, student: Any) -> Any:
    """Made inside of a running event loop, as a notebook has one."""

    async def cell() -> Any:
        return train.evaluate_models(
            base=base,
            students={"a": student, "b": f"{student.spec}:direct", "c": student.path},
            suites=["microworld"],
            limit=4,
            samples=0,
            max_tokens=8,
        )

    return asyncio.run(cell())


def test_a_report_has_the_figures_of_its_data(report: Any) -> None:
    [suite] = report.data["suites"]
    for model in suite["models"]:
        found = report.accuracy(model["name"], "microworld", mode=model["mode"])
        told = model["greedy_accuracy"]
        assert (found.value, found.low, found.high) == (told["value"], told["low"], told["high"])
        assert found.low <= found.value <= found.high
    assert report.suites == ["microworld"]
    assert report.gap_closed("a", "microworld") is None  # there is no teacher
    assert [m["mode"] for m in suite["models"] if m["name"] == "b"] == ["direct"]


def test_a_report_is_a_table_and_files(report: Any, tmp_path: Path) -> None:
    table = report.table()
    assert "microworld: 4 questions" in table
    assert all(name in table for name in ("base", "a (rationale)", "b (direct)"))
    folder = report.save(tmp_path / "saved" / "here")
    assert json.loads((folder / "report.json").read_text()) == report.data
    names = {file.name for file in folder.iterdir()}
    assert names == {"report.json", "answers.jsonl", "report.png"}
    lines = (folder / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 4 * len(report.data["suites"][0]["models"])


def test_the_gap_and_the_slope_are_read_from_the_report(tmp_path: Path) -> None:
    told = {"value": 0.5, "low": 0.4, "high": 0.6}
    curve = {"accuracy": {"0": told, "4": told | {"value": 0.55}}, "slope": told | {"value": 0.41}}
    data = {
        "suites": [
            {
                "suite": "gsm8k",
                "base_mode": "direct",
                "models": [
                    {
                        "name": "base",
                        "mode": "rationale",
                        "greedy_accuracy": told | {"value": 0.41},
                    },
                    {"name": "base", "mode": "direct", "greedy_accuracy": told | {"value": 0.45}},
                    {"name": "a", "mode": "rationale", "greedy_accuracy": told, "gap_closed": told},
                ],
            }
        ],
        "in_context": [
            {"suite": "in-context", "models": [{"name": "a", "families": {"all": curve}}]}
        ],
    }
    report = train.Report(data, tmp_path)
    assert report.gap_closed("a", "gsm8k") == train.Estimate(0.5, 0.4, 0.6)
    assert report.accuracy("base", "gsm8k").value == 0.45  # the better mode counts
    assert report.accuracy("base", "gsm8k", mode="rationale").value == 0.41
    assert report.accuracy("a", "in-context", k=4).value == 0.55
    assert report.accuracy("a", "in-context") is None
    assert report.slope("a", "in-context").value == 0.41
    assert report.slope("a", "gsm8k") is None
    with pytest.raises(UserError, match="no suite 'svamp' in this report: there are gsm8k"):
        report.accuracy("a", "svamp")
    with pytest.raises(UserError, match="no model 'b' on gsm8k: there are base, a"):
        report.gap_closed("b", "gsm8k")


def test_a_probe_is_a_run_in_a_notebook_too(student: Any, tmp_path: Path) -> None:
    write_run(tmp_path)

    async def cell() -> Any:
        return train.probe_student(student, tmp_path, max_tokens=4, out=tmp_path / "probe")

    run = asyncio.run(cell())
    assert run.path == tmp_path / "probe"
    assert {"student_logprob", "student_correct"} <= set(run.dataset("rationales").column_names)
    assert "rationales: 24 rows" in str(run)


def test_the_examples_are_true(
    base: Path, version: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_run(run)
    stored = datagen.store_topk(run, teacher=f"hf:{base}", teacher_topk=4, out=tmp_path / "topk")
    probabilities = stored.publish("stored", store=tmp_path / "store", license="apache-2.0")
    names = {
        "folder": tmp_path / "students",
        "base": base,
        "version": version,
        "probabilities": probabilities,
    }
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    finder = doctest.DocTestFinder(recurse=False)
    said: list[str] = []
    for name in ORDER:
        for test in finder.find(getattr(train, name), name, globs=dict(names)):
            assert test.examples, f"{name} has no example"
            runner.run(test, out=said.append, clear_globs=False)
    assert not runner.summarize(verbose=False).failed, "".join(said)


def test_importing_train_loads_no_torch_and_takes_no_time() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import train; train.fit_sft, train.Report;"
        "train.evaluate_models; print(time.perf_counter() - start);"
        "print([name for name in ('torch', 'trl', 'transformers', 'numpy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, loaded = found.stdout.splitlines()
    assert loaded == "[]"
    assert float(seconds) < 2  # on a busy machine; the bench measures it well
