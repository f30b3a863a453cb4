"""A publisher that is killed leaves no version on the Hub, and no copy of the rows on this disk."""

import os
import signal
import subprocess
import sys

import pytest

from datagen.cli import main
from tests.hub.conftest import datagen, published
from tests.hub.server import TOKEN


@pytest.mark.parametrize(("route", "how"), [("preupload", "cut"), ("commit", "lost")])
def test_a_killed_publisher_leaves_nothing(hub, run, tmp_path, monkeypatch, route, how):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert kill_at(hub, run, tmp_path, route, how) == -signal.SIGKILL
    assert len(list(temporary.glob("emergent-distill-*/1.0.0/README.md"))) == 1
    assert not hub.repositories["org/sums"].tags

    assert datagen("publish", run, "org/sums", "--hub") == 0
    assert published(hub) == [("v1.0.0", "Publish 1.0.0")]
    assert datagen("verify", "org/sums", "--hub") == 0
    assert list(temporary.iterdir()) == []


def kill_at(hub, run, tmp_path, route, how):
    """The exit status of a publisher that is killed while the Hub has its request."""
    words = [sys.executable, "-m", "datagen.cli", "publish", str(run), "org/sums", "--hub"]
    names = {"HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    # a training in this process may have switched the Hub off
    names["HF_HUB_OFFLINE"] = "0"
    publisher = subprocess.Popen(words, env=os.environ | names, stderr=subprocess.DEVNULL)

    def kill(number, asked):
        if asked == route:
            publisher.send_signal(signal.SIGKILL)
            return how
        return None

    hub.fault = kill
    publisher.communicate()
    hub.fault = lambda number, asked: None
    return publisher.returncode


def test_a_folder_of_another_program_or_process_stays(tmp_path, monkeypatch):
    from datagen.scratch import remove_left_behind, scratch_folder

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "mine").mkdir()
    with scratch_folder() as one:
        (one / "file").write_text("at work")
        with scratch_folder() as two:
            assert one.is_dir()
            assert two != one
        remove_left_behind([tmp_path / "not-there", tmp_path / "mine-too"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_help_page_makes_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["publish", "--help"])
    assert list(tmp_path.iterdir()) == []
