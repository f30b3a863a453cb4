"""What somebody sees who has `datasets` alone: a published version by its tag, whole and as a stream."""

import json
import os
import subprocess
import sys

from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen

LOADER = """
import json, sys
from datasets import get_dataset_config_names, load_dataset

found = {"configs": get_dataset_config_names("org/sums", revision="v1.0.0")}
for tag in ("v1.0.0", "v1.1.0"):
    whole = load_dataset("org/sums", "rationales", revision=tag, split="train")
    streamed = load_dataset("org/sums", "rationales", revision=tag, split="train", streaming=True)
    found[tag] = [whole.to_list(), list(streamed)]
found["rejected"] = load_dataset("org/sums", "rejected", revision="v1.0.0", split="train")["reason"][:]
found["ours"] = [name for name in sys.modules if name.split(".")[0] in ("datagen", "train", "cards")]
print(json.dumps(found))
"""


def load(hub, tmp_path, token=""):
    """Run the loader in a process of its own, in an empty folder with an empty cache."""
    (tmp_path / "empty").mkdir()
    names = {"HF_HOME": str(tmp_path / "fresh"), "HF_ENDPOINT": hub.url, "HF_TOKEN": token, "OMP_NUM_THREADS": "1"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "empty"), **names}
    done = subprocess.run(
        [sys.executable, "-c", LOADER],
        env=environment,
        cwd=tmp_path / "empty",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_both_revisions_load_whole_and_as_a_stream(hub, tmp_path):
    import pyarrow.parquet as pq

    runs = {"v1.0.0": make_run(tmp_path / "one"), "v1.1.0": make_run(tmp_path / "two", rows=7)}
    for run in runs.values():
        assert datagen("publish", run, "org/sums", "--hub") == 0
    found = load(hub, tmp_path)
    assert found["configs"] == ["rationales", "answers", "rejected"]
    for tag, run in runs.items():
        expected = pq.read_table(run / "rationales.parquet").to_pylist()
        assert found[tag] == [expected, expected]
    assert found["rejected"] == ["wrong", "wrong"]
    assert found["ours"] == []
