"""Which weights a model has, without loading them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from datagen.errors import UserError
from datagen.teacher.spec import check_folder

MODEL_FILES = {".json", ".safetensors", ".bin", ".model", ".jinja"}
"""Suffixes of the files that decide what a model answers."""
SAMPLE_BYTES = 1 << 20
"""Bytes read at each end of a file. Reading all weights of a large model would take minutes.
Training changes every tensor, so the first and the last bytes show it."""


def fingerprint(folder: Path) -> str:
    """Return 16 hex digits of a hash over a model's files.

    Small files are hashed whole. Of the weights, the hash covers the size and the first and last
    megabyte.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        # lineage.json describes a student and does not change its answers
        if file.suffix not in MODEL_FILES or file.name == "lineage.json":
            continue

        size = file.stat().st_size
        digest.update(f"{file.name}:{size}\n".encode())
        with file.open("rb") as handle:
            digest.update(handle.read(SAMPLE_BYTES))
            handle.seek(max(size - SAMPLE_BYTES, 0))
            digest.update(handle.read())
    return digest.hexdigest()[:16]


def revision_of(path: str) -> str | None:
    """Return the fingerprint of a folder, or the Hub's commit of a model by name.

    Raises:
        UserError: there is no such folder, or the Hub has no such model.
    """
    folder = Path(path)
    if folder.is_dir():
        return fingerprint(folder)
    check_folder(path)
    return commit_of(path)


def commit_of(name: str) -> str | None:
    """Return the Hub's commit of a model by name; None if the model comes from elsewhere."""
    from transformers import AutoConfig

    try:
        return getattr(AutoConfig.from_pretrained(name), "_commit_hash", None)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise UserError(f"cannot open the model {name}: {reason}") from None
