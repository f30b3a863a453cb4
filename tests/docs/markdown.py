"""Reads the code blocks, links and figures of a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md")
"""The pages whose blocks are run. README.zh.md is compared with README.md instead."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    """The word after the fence; empty where there is none, "indented" for an indented block."""
    text: str
    line: int
    """Line of the page on which the block starts, from 1."""


def blocks(page: Path) -> list[Block]:
    """Every code block of a page, in order."""
    found = []
    for token in tokens(page):
        start = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            found.append(Block(token.info.strip(), token.content, start))
        if token.type == "code_block":
            found.append(Block("indented", token.content, start))
    return found


def links(page: Path) -> list[str]:
    """Targets of the links and pictures of a page, in order."""
    inline = [child for token in tokens(page) for child in token.children or ()]
    targets = [child.attrGet("href") or child.attrGet("src") for child in inline]
    return [str(target) for target in targets if target]


def code_spans(page: Path) -> list[str]:
    """Texts between single backticks, in order."""
    inline = [child for token in tokens(page) for child in token.children or ()]
    return [child.content for child in inline if child.type == "code_inline"]


def figures(page: Path) -> list[str]:
    """Numbers in the prose and the tables of a page, in order; code is left out."""
    texts = [child.content for child in prose(page)]
    return [number for text in texts for number in re.findall(r"-?\d*\.?\d+", text)]


def prose(page: Path) -> Iterator[Token]:
    """Pieces of text outside code."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == "text":
                yield child


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
