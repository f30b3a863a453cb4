"""Addresses of endpoints as they may be shown and stored: without key, password, path and query."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

PUBLIC_PATH = re.compile(
    r"v\d{1,2}((alpha|beta|preview)\d{0,2})?"
    r"|accounts|ai|api|beta|chat|client|compatible-mode|completions|deployments|endpoints|engines"
    r"|gateway|generate|inference|invocations|llm|locations|models|openai|openapi|paas|projects"
    r"|proxy|rest|router|serve|serving-endpoints|service|services",
    re.ASCII,
)
"""Parts of a path that are no secret: words in the paths of public APIs and of common servers. Any
other part can be a key, and gateways do take keys there."""
SECRET_NAME = re.compile(
    r"key|token|secret|sig|pass|pwd|auth|cred|code|subscription|session", re.IGNORECASE
)
"""Names of query parameters whose values are secret."""
PUBLIC_NAME = re.compile(r"(api[-_]?)?version", re.IGNORECASE)
"""Names of query parameters whose values are no secret."""
HASHED = re.compile(r"/~[0-9a-f]{8}")
"""A path that this module wrote."""


def public_url(url: str) -> str:
    """Return an address that holds no secret, and that still tells two endpoints apart.

    Scheme, host and port stay, and so does a path of well-known words such as `/openai/v1`. Any
    other path, or a query, becomes a short hash. Keys and versions in the query do not count, so an
    endpoint stays the same when its key is replaced.

    Example:
        >>> public_url("https://me:pass@host.example:8000/v1/")
        'https://host.example:8000/v1'
        >>> public_url("https://host.example/my-key/v1")
        'https://host.example/~78e26289'
        >>> public_url("https://host.example/v1?api-key=abc")
        'https://host.example/v1'
    """
    parts = split_url(url if "://" in url else f"//{url}")
    # as typed, not lower case: earlier releases recorded it like this
    host = parts.netloc.rpartition("@")[2]
    where = f"{parts.scheme}://{host}" if parts.scheme else host

    path = parts.path.rstrip("/")
    query = [(name, value) for name, value in pairs_of(parts.query) if counts(name)]
    if not query and (HASHED.fullmatch(path) or all(map(is_public, segments_of(path)))):
        return where + path
    digest = hashlib.sha256(f"{path}?{urlencode(query)}".encode()).hexdigest()
    return f"{where}/~{digest[:8]}"


def split_url(url: str) -> SplitResult:
    """Return the parts of an address. They are empty if it cannot be read."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def segments_of(path: str) -> list[str]:
    """Return the parts of a path between its slashes, without empty ones."""
    return [segment for segment in path.split("/") if segment]


def pairs_of(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query. A word without `=` is a value without a name."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return [(name, value) if value else ("", name) for name, value in pairs]


def is_public(segment: str) -> bool:
    """Return whether a part of a path is a well-known word."""
    return bool(PUBLIC_PATH.fullmatch(segment))


def counts(name: str) -> bool:
    """Return whether a query parameter of this name can tell two endpoints apart."""
    return not is_secret(name) and not PUBLIC_NAME.fullmatch(name)


def is_secret(name: str) -> bool:
    """Return whether a query parameter of this name holds a secret."""
    return bool(SECRET_NAME.search(name))
