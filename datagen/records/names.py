"""Names that can be published: they have no machine paths and no credentials."""

from __future__ import annotations

import re

from datagen.secrets import public_url

LOCAL_ENGINE = re.compile(r"(hf|vllm):")
"""Engines whose models can be folders."""
LOCAL_PATH = re.compile(r"[/~\\]|\.\.?[/\\]|[A-Za-z]:[/\\]")
"""How an absolute path, a path from the home folder or a relative path begins, also on Windows."""


def public_name(name: str) -> str:
    """Return the name of a model or a teacher without machine path and credentials.

    Args:
        name: a spec such as `hf:PATH`, an identity such as `openai:MODEL@URL`, or a path.

    Returns:
        The name. Of a path only the last part is kept. Of an endpoint's URL, `public_url` is kept.
        User, password and query of any other URL are removed.

    Example:
        >>> public_name("hf:/home/me/student"), public_name("hf:org/model")
        ('hf:student', 'hf:org/model')
        >>> public_name("openai:m@http://me:key@host/v1?token=x")
        'openai:m@http://host/v1'
    """
    if "@http" in name:
        return public_identity(name)
    if "://" in name:
        return re.sub(r"\?.*", "", re.sub(r"//[^/@\s]*@", "//", name))

    engine, _, path = name.partition(":") if LOCAL_ENGINE.match(name) else ("", "", name)
    # A name on the Hub has one slash at most. Only a path has more of them.
    if LOCAL_PATH.match(path) or (path.count("/") > 1 and ":" not in path):
        path = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return f"{engine}:{path}" if engine else path


def public_identity(identity: str) -> str:
    """Return the identity of a teacher with the public URL of its endpoint.

    Identities of other teachers are unchanged, and so are identities that this release wrote.

    Example:
        >>> public_identity("openai:m@https://host.example/my-key/v1")
        'openai:m@https://host.example/~78e26289'
    """
    model, at, address = identity.partition("@http")
    return f"{model}@{public_url(f'http{address}')}" if at else identity
