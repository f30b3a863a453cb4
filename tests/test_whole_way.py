"""The whole way once, small: the embedded teacher's rationales, a version, a student of it, a
report."""

import json

import pytest

from datagen import cli as datagen
from datagen.microworld import WEIGHTS
from train import cli as train

TRAINING = [
    "--max_steps",
    "2",
    "--learning_rate",
    "1e-3",
    "--per_device_train_batch_size",
    "4",
    "--save_strategy",
    "no",
]


@pytest.fixture(scope="module")
def way(tmp_path_factory):
    """The folder in which the four commands ran."""
    folder = tmp_path_factory.mktemp("way")
    run, store, student = str(folder / "run"), str(folder / "store"), str(folder / "student")
    base = str(WEIGHTS / "student")
    words = [
        "rationales",
        "microworld",
        "--split",
        "train",
        "--out",
        run,
        "--limit",
        "24",
        "--samples",
        "4",
    ]
    assert datagen.main([*words, "--max-tokens", "160", "--keep-by", "none"]) == 0
    assert datagen.main(["publish", run, "way", "--store", store]) == 0
    words = [
        "sft",
        "--model",
        base,
        "--dataset",
        "way@1.0.0",
        "--store",
        store,
        "--output_dir",
        student,
    ]
    assert train.main([*words, *TRAINING]) == 0
    words = [
        "evaluate",
        "--teacher",
        "micro",
        "--base",
        f"hf:{base}",
        "--students",
        f"s=hf:{student}",
    ]
    words += [
        "--limit",
        "4",
        "--samples",
        "2",
        "--max_tokens",
        "60",
        "--out",
        str(folder / "report"),
    ]
    assert train.main(words) == 0
    return folder


def read(path):
    return json.loads(path.read_text())


def test_lineage_leads_from_the_student_to_the_teacher(way):
    version = read(way / "store" / "way" / "1.0.0" / "lineage.json")
    student = read(way / "student" / "lineage.json")
    assert student["dataset"]["content_sha256"] == version["content_sha256"]
    assert student["dataset"]["version"] == version["version"] == "1.0.0"
    run = version["runs"]["rationales"]
    assert run["teacher"]["name"] == "micro"
    assert run["source"]["suite"] == "microworld"
    assert run["counts"] == {key: read(way / "run" / "stats.json")[key] for key in run["counts"]}


def test_the_report_measures_base_student_and_teacher(way):
    [suite] = read(way / "report" / "report.json")["suites"]
    assert [(m["name"], m["mode"]) for m in suite["models"]] == [
        ("base", "rationale"),
        ("base", "direct"),
        ("s", "rationale"),
        ("teacher", "rationale"),
    ]
    for model in suite["models"]:
        assert model["failed"] == 0
        assert 0 <= model["greedy_accuracy"]["low"] <= model["greedy_accuracy"]["high"] <= 1
        assert model["gold_logprob"]["value"] < 0
    assert (way / "report" / "report.png").read_bytes().startswith(b"\x89PNG")


def test_the_student_is_another_model_than_its_base(way):
    from safetensors.torch import load_file

    base, student = (
        load_file(p / "model.safetensors") for p in (WEIGHTS / "student", way / "student")
    )
    assert base.keys() <= student.keys() | {"lm_head.weight"}
    assert any(
        (base[name].float() - student[name].float()).abs().max() > 1e-4
        for name in base
        if name in student
    )
