"""Trainers that are given ORG/NAME: the store first, else the Hub, pinned to the commit of the
tag."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from datagen.errors import UserError
from datagen.versions.locate import locate, on_hub
from tests.hub.conftest import datagen
from tests.hub.server import TOKEN
from tests.train.conftest import ROWS, write_run
from train.cli import main
from train.data.versions import DataArguments, load_version
from train.process import data_on_hub
from train.trainers.lineage import card_of


@pytest.fixture
def sums(hub, tmp_path, monkeypatch):
    """org/sums on the Hub at 1.0.0 and, with a licence on its card, 1.0.1; an empty store, a cache
    of its own."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run")
    assert datagen("publish", tmp_path / "run", "org/sums", "--hub") == 0
    assert datagen("publish", tmp_path / "run", "org/sums", "--hub", "--license", "mit") == 0
    return hub.repositories["org/sums"]


def test_the_rows_are_those_of_the_tag_and_its_commit_is_known(sums, tmp_path):
    import pyarrow.parquet as pq

    version, rows = load_version(DataArguments(dataset="org/sums@1.0.0"))
    assert version.commit == sums.tags["v1.0.0"].oid != sums.main.oid
    columns = ["prompt", "completion"]
    assert (
        rows.to_list()
        == pq.read_table(tmp_path / "run" / "rationales.parquet", columns=columns).to_pylist()
    )
    assert not (tmp_path / "store").exists()


def test_without_a_number_it_is_the_newest_and_that_is_said(sums, capsys):
    assert load_version(DataArguments(dataset="org/sums"))[0].commit == sums.tags["v1.0.1"].oid
    assert "org/sums: the newest version is 1.0.1" in capsys.readouterr().err


def test_the_store_comes_first(sums, hub, tmp_path):
    assert datagen("pull", "org/sums@1.0.0") == 0
    asked = len(hub.routes)
    version, _ = load_version(DataArguments(dataset="org/sums@1.0.0"))
    assert version.path == tmp_path / "store" / "org/sums" / "1.0.0"
    assert len(hub.routes) == asked
    assert (
        load_version(DataArguments(dataset="org/sums@1.0.1"))[0].commit == sums.tags["v1.0.1"].oid
    )


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("sums", False),
        ("./org/sums", False),
        ("/org/sums", False),
        ("org/sums", True),
        ("org/sums@1.0.0", True),
    ],
)
def test_what_is_looked_up_on_the_hub(tmp_path, name, answer):
    assert on_hub(name, store=tmp_path) is answer
    assert data_on_hub({"dataset": name, "store": str(tmp_path)}) is answer
    assert data_on_hub({"mixture": [f"{name}:answers=0.5"], "store": str(tmp_path)}) is answer


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "org/sums@9.9.9",
            r"org/sums@9.9.9 is not in .*store, and on the Hub: .* no version '9.9.9'.*1.0.0, "
            r"1.0.1",
        ),
        ("org/none@1.0.0", r"on the Hub: no org/none on the Hub, or it is private"),
        ("org/sums/more", r"'org/sums/more' is no dataset name"),
    ],
)
def test_what_the_hub_has_not_is_one_line_and_no_cached_copy_takes_its_place(
    sums, tmp_path, reference, message
):
    locate("org/sums@1.0.0", store=tmp_path / "store")  # now it is in the cache
    with pytest.raises(UserError, match=message) as caught:
        locate(reference, store=tmp_path / "store")
    assert "\n" not in str(caught.value)


def test_a_tag_that_is_gone_is_not_found_in_the_cache(sums, tmp_path):
    locate("org/sums@1.0.0", store=None)
    del sums.tags["v1.0.0"]
    with pytest.raises(UserError, match=r"has no version '1.0.0' on the Hub; it has: 1.0.1"):
        locate("org/sums@1.0.0", store=None)


def test_a_hub_that_is_down_is_one_line(sums, hub, no_waiting):
    locate("org/sums@1.0.0", store=None)
    hub.fault = lambda number, route: "cut"
    with pytest.raises(UserError, match="the Hub could not be reached for org/sums"):
        locate("org/sums@1.0.0", store=None)


def test_offline_is_one_line(sums, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match="HF_HUB_OFFLINE is set, and org/sums is looked up on the Hub"
    ):
        locate("org/sums@1.0.0", store=None)


def test_bytes_that_are_not_those_of_the_lineage_are_refused(sums, hub):
    for file in hub.folder.iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(
        UserError, match=r"org/sums@1.0.0: .*\.parquet was changed after it was published"
    ):
        locate("org/sums@1.0.0", store=None)


def test_a_student_names_the_commit_in_lineage_and_card(sums, tiny_model, tmp_path):
    out = tmp_path / "student"
    words = [
        "--dataset",
        "org/sums@1.0.0",
        "--model",
        tiny_model,
        "--output_dir",
        out,
        "--max_steps",
        1,
    ]
    more = [
        "--max_length",
        64,
        "--per_device_train_batch_size",
        4,
        "--save_strategy",
        "no",
        "--disable_tqdm",
        True,
    ]
    assert main(["sft", *map(str, words + more)]) == 0
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["dataset"]["commit"] == sums.tags["v1.0.0"].oid
    assert (lineage["dataset"]["version"], lineage["dataset"]["rows"]) == ("1.0.0", ROWS)
    assert (out / "README.md").read_text() == card_of(lineage)


@pytest.mark.slow
def test_the_command_itself_asks_the_hub_for_the_data_though_the_model_is_a_folder(
    sums, hub, tiny_model, tmp_path
):
    out = tmp_path / "student"
    names = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    words = [
        "--dataset",
        "org/sums@1.0.0",
        "--model",
        tiny_model,
        "--output_dir",
        out,
        "--max_steps",
        "1",
    ]
    environment = {
        key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"
    } | names
    command = [sys.executable, "-m", "train.cli", "sft", *map(str, words), "--max_length", "64"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (
        json.loads((out / "lineage.json").read_text())["dataset"]["commit"]
        == sums.tags["v1.0.0"].oid
    )
    shutil.rmtree(tmp_path / "home")


@pytest.mark.slow
def test_a_student_goes_to_the_hub_as_it_trains_with_its_own_card(sums, hub, tiny_model, tmp_path):
    out = tmp_path / "student"
    names = {
        "HF_HOME": str(tmp_path / "home"),
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
    }
    words = [
        "--dataset",
        "org/sums@1.0.0",
        "--model",
        tiny_model,
        "--output_dir",
        out,
        "--max_steps",
        "1",
    ]
    words += ["--push_to_hub", "--hub_model_id", "org/student", "--max_length", "64"]
    environment = {
        key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"
    } | names
    command = [sys.executable, "-m", "train.cli", "sft", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    there = hub.repositories["models/org/student"]
    for name in ("README.md", "lineage.json"):
        assert hub.read(there.file("main", name)) == (out / name).read_bytes()
    assert TOKEN.encode() not in b"".join(
        file.read_bytes() for file in out.rglob("*") if file.is_file()
    )
