"""Names that may be published: without machine paths and without credentials."""

from __future__ import annotations

import re

LOCAL_ENGINE = re.compile(r"(hf|vllm):")
"""Engines whose models can be folders."""
LOCAL_PATH = re.compile(r"[/~\\]|\.\.?[/\\]|[A-Za-z]:[/\\]")
"""How an absolute path, a path from the home folder or a relative path begins, also on Windows."""


def public_name(name: str) -> str:
    """The name of a model or a teacher, without its place on this machine and without credentials.

    Args:
        name: a spec such as `hf:PATH`, an identity such as `openai:MODEL@URL`, or a path.

    Returns:
        The name. Of a path it is the last part. Of a URL it lacks user, password and query.

    Example:
        >>> public_name("hf:/home/me/student"), public_name("hf:org/model")
        ('hf:student', 'hf:org/model')
        >>> public_name("openai:m@http://me:key@host/v1?token=x")
        'openai:m@http://host/v1'
    """
    if "://" in name:
        return re.sub(r"\?.*", "", re.sub(r"//[^/@\s]*@", "//", name))

    engine, _, path = name.partition(":") if LOCAL_ENGINE.match(name) else ("", "", name)
    # a name on the Hub has one slash at most
    if LOCAL_PATH.match(path) or (path.count("/") > 1 and ":" not in path):
        path = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return f"{engine}:{path}" if engine else path
