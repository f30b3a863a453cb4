"""The command `datagen inspect`: it writes a page about a run."""

from __future__ import annotations

import os
from pathlib import Path

from datagen.errors import UserError
from datagen.inspect.collect import collect
from datagen.inspect.page import page
from datagen.inspect.read import Source, open_source
from datagen.inspect.settings import InspectSettings
from datagen.terminal import show


def inspect(settings: InspectSettings) -> None:
    """Write the page, and print where it is. Raises UserError if the run cannot be read."""
    out = inspect_run(settings)
    size = out.stat().st_size / 1e6
    show(f"written to {out} ({size:.1f} MB); open it in a browser")


def inspect_run(settings: InspectSettings) -> Path:
    """Write the page about a run or a version.

    Args:
        settings: The run, and what the page shows.

    Returns:
        The path of the page.

    Raises:
        UserError: The run cannot be read, or the page cannot be written.
    """
    source = open_source(settings.run)
    out = settings.out or default_out(source)
    write(out, page(source, collect(source, settings)))
    return out


def default_out(source: Source) -> Path:
    """Return the path of the page if the user named none."""
    # The hash of a version covers its folder, so nothing may be added to it.
    if source.published:
        return source.path.with_name(source.path.name + ".html")
    return source.path / "inspect.html"


def write(out: Path, html: bytes) -> None:
    """Write the page. A browser that reloads meanwhile sees the old page or the new one."""
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(html)
        os.replace(partial, out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None
