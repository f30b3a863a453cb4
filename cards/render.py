"""Filling the templates, with the text of models shown as text, never as markup."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from datagen.terminal import visible

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 1500
"""Characters of a sample that a card shows; the rest is cut, so that a card stays readable."""
WIDTH = 92
"""Characters of a line in a code block: about the width of a dataset's page on the Hub."""


def render(template: str, *, header: dict[str, Any], **values: Any) -> str:
    """Return a page: the YAML header and the filled template.

    Args:
        template: the name of the file in `templates`.
        header: what the Hub reads. Empty entries are left out.
        values: what the template names.
    """
    import yaml
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        # a missing value must stop the card instead of leaving a gap
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown, not HTML: the text of others goes through `fenced` and `inline` instead
        autoescape=False,
    )
    environment.filters |= {"fenced": fenced, "inline": inline, "number": number, "plain": plain}
    present = {key: value for key, value in header.items() if value not in (None, [], {})}
    # a wide line, so that YAML does not wrap long values
    front = yaml.safe_dump(present, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{front}---\n\n{environment.get_template(template).render(**values)}"


def fenced(text: object) -> str:
    """Return a code block that holds a text.

    The fence is longer than any sequence of backticks in the text. So no text can end the block.
    Long lines are wrapped, because a page would cut them.
    """
    body = str(text)
    body = body if len(body) <= LONGEST else body[:LONGEST] + " [...]"
    body = visible(body.replace("\r\n", "\n").replace("\t", "    "))
    body = "\n".join(map(wrapped, body.split("\n")))
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", body)), default=0))
    return f"{fence}text\n{body}\n{fence}"


def wrapped(line: str) -> str:
    """Return a line wrapped at spaces to at most WIDTH characters.

    A line that fits is unchanged.
    """
    if len(line) <= WIDTH:
        return line
    return textwrap.fill(
        line, WIDTH, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


def inline(value: object, longest: int = 200) -> str:
    r"""Return a value as one line of text for a sentence or a table cell.

    It holds no markup, no border of a cell and no line end. An empty text is a dash.

    Args:
        value: anything; its `str` is shown.
        longest: characters, after which the text is cut.

    Example:
        >>> print(inline("*a* <b>"))
        \*a\* &lt;b&gt;
    """
    text = visible(" ".join(str(value).split())[:longest]) or "-"
    # & comes first, or the codes of < and > would be escaped again
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_~\[\]|#!])", r"\\\1", text)


def number(value: object) -> str:
    """Return a number with separators, or with three decimals.

    Example:
        >>> number(1234567), number(0.73214), number(None)
        ('1,234,567', '0.732', 'not known')
    """
    if isinstance(value, float):
        return f"{value:.3f}"
    return (
        f"{value:,}" if isinstance(value, int) else "not known" if value is None else inline(value)
    )


def plain(value: float) -> str:
    """Return a number with at most six decimals, without trailing zeros, such as a price.

    Example:
        >>> plain(12.5), plain(0.000312)
        ('12.5', '0.000312')
    """
    return f"{value:,.6f}".rstrip("0").rstrip(".")
