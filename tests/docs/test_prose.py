"""Links, paths and figures of the pages are right, and both READMEs say the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import datagen
from datagen.errors import UserError
from tests.docs.commands import Commands
from tests.docs.markdown import PAGES, ROOT, blocks, code_spans, figures, links
from tests.docs.names import exists
from tests.test_layers import LAYERS

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"
LINKED = (*PAGES, CHINESE, ROOT / "CHANGELOG.md", *sorted(ROOT.glob("recipes/*/README.md")))
TO_CREATE = {
    "datagen/prompts/templates/en/backtranslate.txt",
    "datagen/instructions/backtranslate/generate.py",
    "datagen/instructions/backtranslate/settings.py",
}
"""Paths of CONTRIBUTING that a contributor would create."""
FOLDERS = ("datagen/", "train/", "cards/", "recipes/", "tests/", "docs/", "examples/")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for link in links(page):
        target = link.split("#")[0]
        if target and "://" not in target:
            assert (page.parent / target).exists(), link


@pytest.mark.parametrize("page", [*PAGES, CHINESE], ids=name_of)
def test_every_path_of_the_repository_exists(page: Path) -> None:
    for span in code_spans(page):
        if span.startswith(FOLDERS) and re.fullmatch(r"[\w./-]+", span):
            assert (ROOT / span).exists() or span in TO_CREATE, span


def commands(page: Path) -> list[str]:
    """Lines of the code blocks without comments."""
    lines = [line for block in blocks(page) for line in block.text.splitlines()]
    return [re.sub(r"\s+#.*|^#.*", "", line) for line in lines]


def test_both_readmes_have_the_same_commands() -> None:
    assert commands(ENGLISH) == commands(CHINESE)


def test_both_readmes_have_the_same_figures() -> None:
    assert sorted(figures(ENGLISH)) == sorted(figures(CHINESE))


def test_both_readmes_have_the_same_links() -> None:
    other = {"README.md": "README.zh.md", "README.zh.md": "README.md"}
    assert links(ENGLISH) == [other.get(link, link) for link in links(CHINESE)]


def test_the_results_in_the_readme_are_those_of_the_recipe() -> None:
    recipe = ROOT / "recipes" / "quickstart" / "README.md"
    table = [line for line in recipe.read_text().splitlines() if line.startswith("|")]
    assert len(table) == 7
    for page in (ENGLISH, ROOT / "docs" / "quickstart.md"):
        assert "\n".join(table) in page.read_text(), name_of(page)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_write_flags_as_the_help_does(page: Path) -> None:
    """Flags of `datagen` and `train` have underscores, like YAML keys and Python arguments."""
    for block in blocks(page):
        if block.language == "bash":
            for line in re.findall(r"^(?:datagen|train) .*(?:\\\n.*)*", block.text, re.MULTILINE):
                assert not re.findall(r"\s--\w+-\w[\w-]*", line), line
    for span in code_spans(page):
        if span.startswith("--"):
            assert not re.match(r"--\w+-\w", span), span


@pytest.mark.parametrize(
    "command",
    [
        "datagen rationales gsm8k --teacher openai:M --no_such_flag",
        "datagen rationales gsm8k --teacher openai:M --samples many",
        "train sft --model ORG/M --no_such_flag 1",
        "train evaluate --suite gsm8k --teacher openai:M",
        "accelerate launch -m train.kd --no_such_flag 1",
        "make no-such-target",
        "pip install .[no-such-extra]",
        "python -m tests.no_such_module",
        "script recipes/no/such.sh",
    ],
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    """The checks of the commands can fail."""
    program, *words = command.split()
    with pytest.raises((AssertionError, UserError, ImportError)):
        Commands().run(program, words)


def texts_of_the_code() -> list[str]:
    """Every string of the packages; "…" stands for what a string fills in."""
    found = []
    for package in ("datagen", "train", "cards"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
                if isinstance(node, ast.JoinedStr):
                    parts = [getattr(part, "value", None) for part in node.values]
                    found.append("".join(p if isinstance(p, str) else "…" for p in parts))
    return found


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` ", page, re.MULTILINE)
    assert len(messages) > 20
    whole = "\n".join(texts_of_the_code())
    for message in messages:
        fixed = [part.strip(" :'\"") for part in re.split(r"\.\.\.|\bN\b|'\w+'", message)]
        for part in fixed:
            assert part in whole, f"{message}: no message of the code has {part!r}"


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference" / "datagen.md").read_text(encoding="utf-8")
    named = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE)}
    assert named == set(datagen.__all__) - {"__version__"}


@pytest.mark.parametrize("page", ["datagen", "train"])
def test_every_name_of_the_reference_exists(page: str) -> None:
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    names = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert names
    assert [name for name in names if not exists(name)] == []


def test_the_layers_of_the_page_are_those_that_are_tested() -> None:
    [block] = [b for b in blocks(ROOT / "docs" / "architecture.md") if "datagen.errors," in b.text]
    assert tuple(tuple(line.split(", ")) for line in block.text.splitlines()) == LAYERS
