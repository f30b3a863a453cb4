"""A version of several families in the hands of the commands that read one: the right rows, or one
clear question."""

import json

import pyarrow.parquet as pq
import pytest

from datagen.cli import main as datagen
from datagen.versions import resolve
from tests.cards.runs import run_of
from tests.train.conftest import ROWS, write_run
from train.cli import main as train
from train.data.versions import DataArguments, load_version


@pytest.fixture
def mixed(tmp_path, monkeypatch):
    """A store with org/sums@1.2.0 of all families, of which the rationales are 24 and came
    second."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")
    monkeypatch.setenv("EMERGENT_STORE", str(tmp_path / "store"))
    (tmp_path / "rationales").mkdir()
    write_run(tmp_path / "rationales")
    runs = [
        run_of(tmp_path / family, family, kept=8, rejected=3)
        for family in ("instructions", "demonstrations")
    ]
    for run in (runs[0], tmp_path / "rationales", runs[1]):
        assert datagen(["publish", str(run), "org/sums"]) == 0
    return resolve("org/sums@1.2.0")


@pytest.mark.parametrize("config", ["rationales", "answers", "instructions", "demonstrations"])
def test_a_trainer_reads_the_config_that_it_is_given(mixed, tmp_path, config):
    version, rows = load_version(DataArguments(dataset="org/sums@1.2.0", dataset_config=config))
    family = "rationales" if config == "answers" else config
    expected = pq.read_table(
        tmp_path / family / f"{config}.parquet", columns=["prompt", "completion"]
    )
    assert rows.to_list() == expected.to_pylist()
    assert version.content_sha256 == mixed.content_sha256


@pytest.mark.parametrize("more", [[], ["--counterfactual_weight", "0.5"]])
def test_a_student_of_one_config(mixed, tiny_model, tmp_path, more):
    """Its losses may look for wrong rationales, among rejected rows of all families."""
    out = tmp_path / "student"
    words = ["--dataset", "org/sums@1.2.0", "--dataset_config", "rationales", "--model", tiny_model]
    words += ["--output_dir", out, "--max_steps", 1, "--max_length", 96, "--save_strategy", "no"]
    file = tmp_path / "rationales" / "rejected.parquet"
    table = pq.read_table(file)
    wrong = [row | {"correct": False, "parents": first["parents"]} for row, first in zip(
        table.to_pylist(),
            pq.read_table(tmp_path / "rationales" / "rationales.parquet").to_pylist(),
            strict=False,
    )]  # fmt: skip
    pq.write_table(table.from_pylist(wrong, schema=table.schema), file)
    assert datagen(["publish", str(tmp_path / "rationales"), "org/sums"]) == 0
    words[1] = "org/sums@1.3.0"
    assert train(["sft", *map(str, words + more)]) == 0
    told = json.loads((out / "lineage.json").read_text())["dataset"]
    assert (told["config"], told["rows"], told["version"]) == ("rationales", ROWS, "1.3.0")
    assert told["content_sha256"] == resolve("org/sums@1.3.0").content_sha256


@pytest.mark.parametrize("command", ["topk", "probe"])
def test_what_reads_a_whole_run_asks_which(mixed, tiny_model, tmp_path, capsys, command):
    out = tmp_path / "out"
    words = ["topk", "org/sums@1.2.0", "--teacher", f"hf:{tiny_model}"]
    words = (
        words
        if command == "topk"
        else ["probe", str(tiny_model), "org/sums@1.2.0", "--max_tokens", "2"]
    )
    main = datagen if command == "topk" else train
    assert main([*words, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert (
        "org/sums@1.2.0 holds instructions, rationales, demonstrations: say which with --family"
        in error
    )
    assert main([*words, "--out", str(out), "--family", "answers"]) == 2
    error += capsys.readouterr().err
    assert "holds instructions, rationales, demonstrations: no answers" in error
    assert error.count("\n") == 2
    assert not out.exists()
    assert main([*words, "--out", str(out), "--family", "rationales"]) == 0
    for config in ("rationales", "answers", "rejected"):
        rows, before = (
            pq.read_table(folder / f"{config}.parquet") for folder in (out, tmp_path / "rationales")
        )
        assert rows.select(before.column_names).to_pylist() == before.to_pylist()
    told, asked = (
        json.loads((folder / "config.json").read_text())
        for folder in (out, tmp_path / "rationales")
    )
    assert (told["method"], told["teacher"], told["source"]) == tuple(
        asked[k] for k in ("method", "teacher", "source")
    )
    assert asked["settings"].items() <= told["settings"].items()
    assert datagen(["publish", str(out), "org/sums"]) == 0
    assert list(resolve("org/sums").lineage["runs"]) == [
        "instructions",
        "rationales",
        "demonstrations",
    ]


def test_filtering_reads_the_instructions(mixed, tmp_path):
    assert (
        datagen(
            [
                "filter",
                "org/sums@1.2.0",
                "--out",
                str(tmp_path / "out"),
                "--exact_duplicates",
                "false",
            ]
        )
        == 0
    )
    kept, before = (
        pq.read_table(folder / "instructions.parquet")
        for folder in (tmp_path / "out", tmp_path / "instructions")
    )
    assert kept["id"].to_pylist() == before["id"].to_pylist()


def test_inspecting_shows_what_each_run_was_asked(mixed, tmp_path):
    assert datagen(["inspect", str(mixed.path)]) == 0
    html = (mixed.path.parent / "1.2.0.html").read_text()
    assert "<dt>instructions.teacher.name</dt><dd>openai:m</dd>" in html
    assert "<dt>rationales.teacher.name</dt><dd>micro</dd>" in html
