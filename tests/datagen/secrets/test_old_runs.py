"""Runs of an earlier release, which recorded an endpoint's path: they go on, and are published
without it."""

import json
from dataclasses import replace

import pytest
from aiohttp import web

from datagen.cli import main
from datagen.teacher.endpoint.address import Address
from tests.datagen.endpoint import Endpoint, Served


class Team(Endpoint):
    """Stands below a path of its own."""

    def app(self):
        app = web.Application()
        for team in ("/team-a/v1", "/team-b/v1", "/v1"):
            app.router.add_get(f"{team}/models", self.models)
            app.router.add_post(f"{team}/chat/completions", self.complete)
        return app


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("EMERGENT_STORE", str(tmp_path / "store"))
    rows = [{"question": f"What is {n} plus 2?", "answer": str(n + 2)} for n in range(6)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["rationales", str(tmp_path / "sums.jsonl"), "--teacher", "openai:arith"]
    return [*words, "--samples", "2", "--out", str(tmp_path / "run")]


def old_release(monkeypatch, words):
    """Run as a release did that recorded the whole address, without user and password."""
    with monkeypatch.context() as old:
        old.setattr(Address, "shown", property(lambda found: replace(found, user=None).written))
        assert main(words) == 0


def unfinish(run):
    """All rows are lost; the answers are not."""
    for file in [*run.glob("*.parquet"), *run.glob("rows.sqlite*"), run / "stats.json"]:
        file.unlink()


def test_its_answers_are_found_and_its_path_is_not_published(words, tmp_path, monkeypatch):
    run, endpoint = tmp_path / "run", Team()
    with Served(endpoint) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url.replace("/v1", "/team-a/v1"))
        old_release(monkeypatch, words)
        assert "team-a" in (run / "config.json").read_text()
        asked, rows = len(endpoint.bodies), (run / "rationales.parquet").read_bytes()
        unfinish(run)
        assert main(words) == 0
        assert len(endpoint.bodies) == asked
        assert (run / "rationales.parquet").read_bytes() == rows
    assert main(["publish", str(run), "sums"]) == 0
    for file in (tmp_path / "store").rglob("*"):
        assert file.is_dir() or b"team-a" not in file.read_bytes()


def test_another_path_is_another_run_and_neither_is_shown(words, tmp_path, monkeypatch, capsys):
    with Served(Team()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url.replace("/v1", "/team-a/v1"))
        old_release(monkeypatch, words)
        capsys.readouterr()
        monkeypatch.setenv("OPENAI_BASE_URL", url.replace("/v1", "/team-b/v1"))
        assert main(words) == 2
    said = capsys.readouterr().err
    assert "teacher.identity was" in said
    assert "team" not in said


def test_a_usual_path_is_recorded_as_before(words, tmp_path, monkeypatch):
    with Served(Team()) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        old_release(monkeypatch, words)
        assert main([*words, "--out", str(tmp_path / "new")]) == 0
    before = (tmp_path / "run/config.json").read_text()
    assert (tmp_path / "new/config.json").read_text() == before
    assert json.loads(before)["teacher"]["identity"] == f"openai:arith@{url}"
