"""Which requests the Hub of the tests answers, of datasets and of models."""

from __future__ import annotations

import re
from urllib.parse import unquote

API = r"/api/(?P<kind>datasets|models)/(?P<id>[^/]+/[^/]+)"
PLACE = r"/(?:(?P<kind>datasets)/)?(?P<id>[^/]+/[^/]+)"
ROUTES = [
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("GET", rf"{API}(?:/revision/(?P<rev>[^/]+))?", "info"),
    ("GET", rf"{API}/refs", "refs"),
    ("GET", rf"{API}/commits/(?P<rev>[^/]+)", "commits"),
    ("GET", rf"{API}/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?", "tree"),
    ("POST", rf"{API}/paths-info/(?P<rev>[^/]+)", "paths"),
    ("POST", rf"{API}/preupload/(?P<rev>[^/]+)", "preupload"),
    ("POST", rf"{API}/commit/(?P<rev>[^/]+)", "commit"),
    ("POST", rf"{API}/tag/(?P<rev>[^/]+)", "tag"),
    ("POST", rf"{PLACE}\.git/info/lfs/objects/batch", "batch"),
    ("POST", rf"{PLACE}\.git/info/lfs/objects/verify", "verify"),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "put"),
    ("GET", r"/lfs/(?P<oid>[0-9a-f]{64})", "large"),
    ("GET", rf"{PLACE}/resolve/(?P<rev>[^/]+)/(?P<path>.+)", "resolve"),
]
WRITES = ("preupload", "commit", "tag", "batch", "verify")


def find(command: str, path: str) -> tuple[str, dict[str, str] | None]:
    """The route of a request, and what its address names; None for an address that the Hub has
    not."""
    method = "GET" if command == "HEAD" else command
    for verb, pattern, route in ROUTES:
        if verb == method and (match := re.fullmatch(pattern, path)):
            return route, {
                key: unquote(value) for key, value in match.groupdict().items() if value is not None
            }
    return f"unknown {path}", None


def key(named: dict[str, str]) -> str:
    """Under which name a repository is kept: ORG/NAME for a dataset, models/ORG/NAME for a
    model."""
    return named["id"] if named.get("kind") == "datasets" else f"models/{named['id']}"
