"""Publishers that are processes of their own: killed at random moments, and two at once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from datagen.versions import hub as on_hub
from tests.cards.runs import run_of
from tests.datagen.publish.conftest import make_run
from tests.hub.conftest import datagen, published
from tests.hub.server import TOKEN

pytestmark = pytest.mark.slow
REQUESTS = 25
"""About as many as a publisher makes."""
SLOWLY = 0.3
"""Seconds that the Hub takes for each."""


def start(hub, tmp_path, run, name):
    names = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
    }
    words = [sys.executable, "-m", "datagen.cli", "publish", str(run), name, "--hub"]
    return subprocess.Popen(
        words, env=os.environ | names, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_killed_at_twenty_random_moments_and_given_again_it_is_one_version(hub, run, tmp_path):
    moments = random.Random("killed").sample(
        [(at, how) for at in range(1, REQUESTS) for how in ("cut", "lost")], 20
    )
    killed = 0
    for place, (at, how) in enumerate(moments):
        name, first = f"org/sums-{place}", len(hub.routes)
        for file in hub.folder.iterdir():
            file.unlink()
        publisher = start(hub, tmp_path, run, name)

        killed += kill_at(hub, publisher, first + at, how)
        assert datagen("publish", run, name, "--hub") == 0
        assert published(hub, name) == [("v1.0.0", "Publish 1.0.0")]
        assert datagen("verify", name, "--hub") == 0
    print(f"{killed} of {len(moments)} were killed before they ended")
    assert killed >= 15


def kill_at(hub, publisher, at, how):
    """Kill a publisher while the Hub has its request of this number, which is `cut` or done and its
    answer `lost`. Whether it was still at work."""

    def kill(number, route):
        if number < at:
            return None
        publisher.send_signal(signal.SIGKILL)
        return how if number == at else "cut"

    hub.fault = kill
    publisher.communicate()
    hub.fault = lambda number, route: None
    return publisher.returncode == -signal.SIGKILL


def test_killed_while_a_family_is_put_beside_another_and_given_again_it_is_one_version_of_both(
    hub, run, tmp_path
):
    other = run_of(tmp_path / "other", "instructions", kept=9, rejected=3)
    moments = random.Random("beside").sample(
        [(at, how) for at in range(1, REQUESTS) for how in ("cut", "lost")], 10
    )
    killed = 0
    for place, (at, how) in enumerate(moments):
        name = f"org/sums-{place}"
        for file in hub.folder.iterdir():
            file.unlink()
        assert datagen("publish", run, name, "--hub") == 0
        killed += kill_at(hub, start(hub, tmp_path, other, name), len(hub.routes) + at, how)
        assert datagen("publish", other, name, "--hub") == 0
        assert published(hub, name) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
        assert list(on_hub.resolve(name).lineage["runs"]) == ["rationales", "instructions"]
        assert datagen("verify", name, "--hub") == 0
    print(f"{killed} of {len(moments)} were killed before they ended")
    assert killed >= 7


def test_killed_a_moment_after_a_random_request_and_given_again_it_is_one_version(
    hub, run, tmp_path, capsys
):
    """Between requests, too: while files are written, hashed and sent, and while the Hub works on
    an answer."""
    start(hub, tmp_path, run, "org/clean").communicate()
    requests, stream, reached, left = (
        len(hub.routes),
        random.Random("a moment after"),
        Counter(),
        Counter(),
    )
    for place, after in enumerate(stream.choices(range(1, requests + 1), k=20)):
        name = f"org/sums-{place}"
        for file in hub.folder.iterdir():
            file.unlink()
        hub.fault = lambda number, route: time.sleep(SLOWLY)
        publisher = start(hub, tmp_path, run, name)
        kill_after(
            hub, publisher, requests=len(hub.routes) + after, seconds=stream.uniform(0, SLOWLY)
        )
        reached[hub.routes[-1] if publisher.returncode else "the end"] += 1
        left[left_behind(hub, name)] += 1
        hub.fault = lambda number, route: None
        assert datagen("publish", run, name, "--hub") == 0
        assert published(hub, name) == [("v1.0.0", "Publish 1.0.0")]
        assert datagen("verify", name, "--hub") == 0
    with capsys.disabled():
        print(f"\nlast request before the kill: {dict(reached)}; left on the Hub: {dict(left)}")
    assert reached["the end"] <= 5


def kill_after(hub, publisher, *, requests, seconds):
    """Kill a publisher so many seconds after the Hub's request of this number; what the Hub has
    begun it ends."""
    while len(hub.routes) < requests and publisher.poll() is None:
        time.sleep(0.002)
    time.sleep(seconds)
    publisher.kill()
    publisher.communicate()
    time.sleep(2 * SLOWLY)


def left_behind(hub, name):
    repository = hub.repositories.get(name)
    if repository is None:
        return "nothing"
    committed = any(commit.title == "Publish 1.0.0" for commit in repository.commits())
    return "a version" if repository.tags else "a commit" if committed else "an empty repository"


@pytest.mark.parametrize("families", ["one family", "two families"])
def test_two_publishers_at_once_ten_times_make_two_versions_each_time(hub, tmp_path, families):
    runs = [make_run(tmp_path / "one", rows=5)]
    runs += (
        [make_run(tmp_path / "two", rows=6)]
        if families == "one family"
        else [run_of(tmp_path / "two", "instructions")]
    )
    for attempt in range(10):
        name = f"org/sums-{attempt}"
        racers = [start(hub, tmp_path, run, name) for run in runs]
        said, complaints = zip(*(racer.communicate() for racer in racers), strict=True)
        assert [racer.returncode for racer in racers] == [0, 0], complaints
        assert published(hub, name) == [("v1.0.0", "Publish 1.0.0"), ("v1.1.0", "Publish 1.1.0")]
        assert sorted(text.split(":")[0] for text in said) == [
            f"published {name} 1.0.0",
            f"published {name} 1.1.0",
        ]
        for version in ("1.0.0", "1.1.0"):
            assert datagen("verify", f"{name}@{version}", "--hub") == 0
        assert len(on_hub.resolve(name).lineage["runs"]) == (1 if families == "one family" else 2)
