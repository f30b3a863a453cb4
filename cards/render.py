"""Templates, and what keeps a model's text from being read as markup."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 1500
"""Characters of a sample that a card shows."""
WIDTH = 92
"""Characters of a line in a code block, about what a dataset's page has room for."""
INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Unicode categories that hide text or change its order: controls, bidi marks, zero widths, private
use."""


def render(template: str, *, header: dict[str, Any], **values: Any) -> str:
    """The YAML header, without its empty entries, and the filled template."""
    import yaml
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML: text of others goes through `fenced` and `inline`
    )
    environment.filters |= {"fenced": fenced, "inline": inline, "number": number, "plain": plain}
    present = {key: value for key, value in header.items() if value not in (None, [], {})}
    front = yaml.safe_dump(present, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n{environment.get_template(template).render(**values)}"


def fenced(text: object) -> str:
    """A code block that the text cannot end: its fence is longer than any run of backticks inside.

    Long lines go on below, as a page would cut them off.
    """
    body = str(text)
    body = body if len(body) <= LONGEST else body[:LONGEST] + " [...]"
    body = visible(body.replace("\r\n", "\n").replace("\t", "    "))
    body = "\n".join(map(wrapped, body.split("\n")))
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", body)), default=0))
    return f"{fence}text\n{body}\n{fence}"


def wrapped(line: str) -> str:
    """A line in parts of at most WIDTH characters, cut at spaces; one that fits stays as it is."""
    if len(line) <= WIDTH:
        return line
    return textwrap.fill(
        line, WIDTH, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


def visible(text: str) -> str:
    """The text with an invisible character written as its code, `<U+202E>`; line feeds stay."""
    return "".join(
        f"<U+{ord(char):04X}>" if char != "\n" and unicodedata.category(char) in INVISIBLE else char
        for char in text
    )


def inline(value: object, longest: int = 200) -> str:
    """One line of text for a sentence or a table cell: no markup, no cell border, no line end; a
    dash for nothing.
    """
    text = visible(" ".join(str(value).split())[:longest]) or "-"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_~\[\]|#!])", r"\\\1", text)


def number(value: object) -> str:
    """1234567 as 1,234,567; 0.73214 as 0.732."""
    if isinstance(value, float):
        return f"{value:.3f}"
    return (
        f"{value:,}" if isinstance(value, int) else "not known" if value is None else inline(value)
    )


def plain(value: float) -> str:
    """An amount of money: 12.5 as 12.5, 0.000312 as 0.000312."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")
