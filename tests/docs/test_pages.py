"""Every command and every snippet of the pages works: the shell and Python blocks of a page are run
in the order in which a reader meets them."""

from __future__ import annotations

import contextlib
import doctest
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.commands import ELSEWHERE
from tests.docs.markdown import PAGES, ROOT, Block, blocks
from tests.docs.names import missing
from tests.docs.shell import Shell

LANGUAGES = {"bash", "python", "pycon", "text", "yaml", "json"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all pages: a command that a page gives again resumes its run at once."""
    return tmp_path_factory.mktemp("reader")


@pytest.fixture
def tools() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="docs-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_works_from_top_to_bottom(page: Path, workspace: Path, tools: Path) -> None:
    follow(page, workspace, tools)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_works_alone(page: Path, tmp_path: Path, tools: Path) -> None:
    """No page needs what another page made."""
    follow(page, tmp_path, tools)


def follow(page: Path, folder: Path, tools: Path) -> None:
    """Run the blocks of a page in a folder. Raises AssertionError with the place of a failure."""
    shell, names = Shell(folder, tools), {"__name__": "__main__"}
    for block in blocks(page):
        try:
            run(block, shell, names)
        except Exception as error:
            raise AssertionError(f"{name_of(page)}, line {block.line}: {error}") from error


def run(block: Block, shell: Shell, names: dict[str, Any]) -> None:
    """Run a block in its language. Raises where it fails."""
    if block.language == "bash":
        shell.run(block.text)
    elif block.language == "python":
        run_python(block.text, shell.folder, names)
    elif block.language == "pycon":
        run_session(block.text, shell.folder, names)
    elif block.language == "yaml":
        yaml.safe_load(block.text)
    elif block.language == "json":
        json.loads(block.text)
    else:
        assert block.language in LANGUAGES, f"a block of language {block.language!r}"


def run_python(code: str, folder: Path, names: dict[str, Any]) -> None:
    """Run Python code; only compile it where it names a model or an endpoint that is elsewhere."""
    compiled = compile(code, "<page>", "exec", dont_inherit=True)
    absent = missing(code)
    assert not absent, f"no such names: {', '.join(sorted(absent))}"
    strings = re.findall(r'"([^"\n]*)"', code)
    if any(ELSEWHERE.search(string) for string in strings):
        return
    with contextlib.chdir(folder):
        exec(compiled, names)


def run_session(text: str, folder: Path, names: dict[str, Any]) -> None:
    """Run a `>>>` session and compare what it prints."""
    example = doctest.DocTestParser().get_doctest(text, names, "page", None, 0)
    absent = missing("\n".join(part.source for part in example.examples))
    assert not absent, f"no such names: {', '.join(sorted(absent))}"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    with contextlib.chdir(folder):
        runner.run(example, out=report.append, clear_globs=False)
    assert not runner.failures, "".join(report)
