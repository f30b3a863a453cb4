"""What somebody sees who has `datasets` alone: a published version by its tag, whole and as a
stream."""

import json
import os
import subprocess
import sys
import venv

import pytest

from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen

LOADER = """
import importlib.util, json, sys
import huggingface_hub
from datasets import get_dataset_config_names, load_dataset

found = {"hub": huggingface_hub.__version__}
found["configs"] = get_dataset_config_names("org/sums", revision="v1.0.0")
for tag in ("v1.0.0", "v1.1.0"):
    whole = load_dataset("org/sums", "rationales", revision=tag, split="train")
    streamed = load_dataset("org/sums", "rationales", revision=tag, split="train", streaming=True)
    found[tag] = [whole.to_list(), list(streamed)]
rejected = load_dataset("org/sums", "rejected", revision="v1.0.0", split="train")
found["rejected"] = rejected["reason"][:]
OURS = ("datagen", "train", "cards")
found["ours"] = [name for name in (*OURS, "torch") if importlib.util.find_spec(name)]
found["imported"] = [name for name in sys.modules if name.split(".")[0] in OURS]
print(json.dumps(found))
"""


SOME = """
import json, sys
from datasets import load_dataset

pairs = json.loads(sys.argv[1])
wanted = [dict(path="org/sums", revision=tag, name=config, split="train") for tag, config in pairs]
found = [
    [load_dataset(**one).to_list(), list(load_dataset(**one, streaming=True))] for one in wanted
]
print(json.dumps(found))
"""


def loaded(hub, tmp_path, wanted):
    """The rows of each (tag, config), whole and as a stream."""
    return load(hub, tmp_path, code=[SOME, json.dumps(wanted)])


def load(hub, tmp_path, python=sys.executable, code=(LOADER,)):
    """Run the loader in a process of its own, without a token, in an empty folder with an empty
    cache."""
    (tmp_path / "empty").mkdir()
    names = {
        "HF_HOME": str(tmp_path / "fresh"),
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "",
        "OMP_NUM_THREADS": "1",
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "empty"), **names}
    done = subprocess.run(
        [python, "-c", *code],
        env=environment,
        cwd=tmp_path / "empty",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check(found, runs):
    """What was loaded is what the runs hold."""
    import pyarrow.parquet as pq

    assert found["configs"] == ["rationales", "answers", "rejected"]
    for tag, run in runs.items():
        expected = pq.read_table(run / "rationales.parquet").to_pylist()
        assert found[tag] == [expected, expected]
    assert found["rejected"] == ["wrong", "wrong"]
    assert found["imported"] == []


@pytest.fixture
def runs(hub, tmp_path):
    """Two runs by the tags that they were published under."""
    found = {"v1.0.0": make_run(tmp_path / "one"), "v1.1.0": make_run(tmp_path / "two", rows=7)}
    for run in found.values():
        assert datagen("publish", run, "org/sums", "--hub") == 0
    return found


def test_both_revisions_load_whole_and_as_a_stream(hub, runs, tmp_path):
    check(load(hub, tmp_path), runs)


@pytest.mark.slow
@pytest.mark.parametrize("release", ["1.33.0", "2.4.0"])
def test_they_load_in_an_environment_that_has_only_datasets(hub, runs, tmp_path, release):
    venv.create(tmp_path / "alone", with_pip=True)
    python = str(tmp_path / "alone" / "bin" / "python")
    packages = ["datasets==5.2.0", f"huggingface_hub=={release}"]
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *packages], check=True, capture_output=True
    )
    found = load(hub, tmp_path, python)
    assert found["hub"] == release
    assert found["ours"] == []
    check(found, runs)
