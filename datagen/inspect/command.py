"""`datagen inspect`: a run in, a page out."""

from __future__ import annotations

import os
from pathlib import Path

from datagen.errors import UserError
from datagen.inspect.collect import collect
from datagen.inspect.page import page
from datagen.inspect.read import Source, open_source
from datagen.inspect.settings import InspectSettings


def inspect(settings: InspectSettings) -> None:
    """Read, write the page, say where it is. Raises UserError."""
    source = open_source(settings.run)
    out = settings.out or default_out(source)
    html = page(source, collect(source, settings))
    write(out, html)
    print(f"written to {out} ({len(html) / 1e6:.1f} MB); open it in a browser")


def default_out(source: Source) -> Path:
    return (
        source.path.with_name(source.path.name + ".html")
        if source.published
        else source.path / "inspect.html"
    )


def write(out: Path, html: bytes) -> None:
    """Put the page in place whole."""
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(html)
        os.replace(partial, out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None
