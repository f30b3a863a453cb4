"""A Hub for a test, with the clients of this process pointed at it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datagen.flags import run_command
from datagen.publish.cli import COMMANDS
from tests.datagen.publish.conftest import make_run
from tests.hub.server import TOKEN, Hub, serve


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    (tmp_path / "large").mkdir()
    hub, server = serve(tmp_path / "large")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("EMERGENT_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield hub
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once; the clients sleep between theirs, too."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.001)))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def datagen(*words: object) -> int:
    """The command's exit status."""
    return run_command("datagen", "", COMMANDS, [str(word) for word in words])


def published(hub: Hub, name: str = "org/sums") -> list[tuple[str, str]]:
    """Tags and the titles of their commits; every publisher's commit must have its tag, and there
    is no second one."""
    repository = hub.repositories[name]
    made = [commit for commit in repository.commits() if commit.title.startswith("Publish ")]
    assert sorted(commit.oid for commit in made) == sorted(
        commit.oid for commit in repository.tags.values()
    )
    return sorted((tag, commit.title) for tag, commit in repository.tags.items())


def spoil_once(hub: Hub, route: str, how: str) -> list[int]:
    """Spoil the first request of a route; the list holds that request's number once it has come."""
    done: list[int] = []

    def spoil(number: int, asked: str) -> str | None:
        if asked == route and not done:
            done.append(number)
            return how
        return None

    hub.fault = spoil
    return done
