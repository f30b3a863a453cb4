"""The files that hold the habits of the project agree with each other."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import yaml

import datagen
from tests.docs.markdown import ROOT


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_public_ci_runs_what_the_project_runs() -> None:
    steps = read_yaml(".github/workflows/ci.yml")["jobs"]["test"]["steps"]
    assert steps[-1]["run"] == ".ci/run"
    assert "make docs" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_public_ci_tries_every_python_that_is_supported() -> None:
    matrix = read_yaml(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert project()["requires-python"] == ">=3.11,<3.14"
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


def test_the_hooks_run_tools_of_the_extra_dev() -> None:
    tools = " ".join(project()["optional-dependencies"]["dev"])
    for hook in read_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]:
        program = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert program in tools


def test_the_changelog_has_this_release_and_what_comes_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "\n## Unreleased\n" in text
    assert f"\n## {datagen.__version__}\n" in text


@pytest.mark.parametrize("form", ["bug", "feature", "documentation"])
def test_an_issue_form_has_what_a_form_needs(form: str) -> None:
    found = read_yaml(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert {"name", "description", "body"} <= found.keys()
    for field in found["body"]:
        assert field["attributes"]["label"]
        assert field["id"]
