"""Which model a folder holds."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> str:
    """16 hex digits over the model's files: small ones whole, weights by size and their first and
    last megabyte."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if (
            file.suffix not in {".json", ".safetensors", ".bin", ".model", ".jinja"}
            or file.name == "lineage.json"
        ):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}\n".encode())
        with file.open("rb") as handle:
            digest.update(handle.read(1 << 20))
            handle.seek(max(size - (1 << 20), 0))
            digest.update(handle.read())
    return digest.hexdigest()[:16]
