"""A publisher of a local store that is killed (kill -9) at a change of its files, any of them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.versions import resolve, verify, versions_of
from datagen.versions.local import names
from tests.cards.runs import run_of
from tests.datagen.publish.conftest import make_run

KILLED = """
import os, signal, sys
import datagen.publish.cli, pyarrow.parquet, cards.figures
from datagen.cli import main

at, place, *words = sys.argv[1:]
changes = 0

def count(event, args):
    global changes
    writes = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.mkdir", "os.rename", "os.link", "os.chmod", "os.rmdir"):
        if str(args[0]).startswith(place):
            changes += 1
            if changes == int(at):
                os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
status = main(words)
print("changes:", changes)
sys.exit(status)
"""


def publish(run, store, *more, name="org/sums"):
    return ["publish", str(run), name, "--store", str(store), *more]


def killed_at(change, words, place):
    """Run a command that kills itself before this change of the file system below a place."""
    command = [sys.executable, "-c", KILLED, str(change), str(place), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def changes_of(words, place):
    place.mkdir(parents=True, exist_ok=True)
    done = killed_at(0, words, place)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("changes:")[2])


def half_done(store):
    return [path for path in store.rglob(".*") if path.name != ".lock"]


def check(run, store, moments, *, before=()):
    """Kill a publisher at each of these moments; then look at the store, and publish again."""
    for moment in moments:
        place = store / str(moment)
        place.mkdir()
        for words in before:
            assert main(publish(words, place)) == 0
        there = [version.version for version in versions_of("org/sums", store=place)]
        assert killed_at(moment, publish(run, place), place).returncode == -signal.SIGKILL
        assert [version.version for version in versions_of("org/sums", store=place)] == there
        assert names(place) == ["org/sums"][: len(there)]

        assert main(publish(run, place)) == 0
        found = versions_of("org/sums", store=place)
        assert [version.version for version in found][: len(there)] == there
        assert len(found) == len(there) + 1
        verify(resolve("org/sums", store=place))
        assert half_done(place) == []


def test_a_killed_publisher_leaves_no_version_and_the_next_one_finishes_it(run, store):
    whole = changes_of(publish(run, store / "clean"), store / "clean")
    assert whole > 10
    # the first folder, half the files, the last file, and the rename itself
    check(run, store, [3, whole // 2, whole])


@pytest.mark.slow
def test_the_same_at_every_change(run, store):
    whole = changes_of(publish(run, store / "clean"), store / "clean")
    check(run, store, range(2, whole + 1))


@pytest.mark.slow
def test_the_same_where_a_family_is_put_beside_another(run, store, tmp_path):
    other = run_of(tmp_path / "other", "instructions", kept=9, rejected=3)
    assert main(publish(run, store / "clean")) == 0
    whole = changes_of(publish(other, store / "clean"), store / "clean")
    check(other, store, range(1, whole + 1, 3), before=[run])


def test_what_was_left_is_removed_by_a_list_and_by_a_publisher_of_another_name(
    run, store, tmp_path
):
    more = make_run(tmp_path / "more", rows=6)
    assert main(publish(run, store)) == 0
    for next_command in (
        ["versions", "org/sums", "--store", str(store)],
        publish(run, store, name="b"),
    ):
        killed_at(8, publish(more, store), store)
        assert len(half_done(store)) >= 1
        assert main(next_command) == 0
        assert half_done(store) == []
    assert len(versions_of("org/sums", store=store)) == 1


def test_what_another_publisher_works_on_is_left_alone(run, store):
    from datagen.publish.local import partial_folder

    folder = store / "org/other"
    folder.mkdir(parents=True)
    with partial_folder(folder, "1.0.0") as at_work:
        assert main(publish(run, store)) == 0
        assert at_work.is_dir()
    assert not at_work.exists()


def test_a_publisher_that_fails_leaves_nothing(run, store, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("datagen.publish.local.make_durable", full)
    assert main(publish(run, store)) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert half_done(store) == []
    assert not Path(store / "org/sums/1.0.0").exists()
    assert os.listdir(store / "org/sums") == [".lock"]
