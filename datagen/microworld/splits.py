"""Which split a thing belongs to: decided by a hash of what it is, so that the splits cannot
overlap.
"""

from __future__ import annotations

import hashlib

from datagen.errors import UserError

SPLITS = ("train", "validation", "test")
_TENTHS = {8: "validation", 9: "test"}


def split_of(signature: str) -> str:
    """The split of a signature: eight tenths train, one validation, one test."""
    return _TENTHS.get(hashlib.sha256(signature.encode()).digest()[0] % 10, "train")


def check_split(split: str) -> None:
    """Raise `UserError` when there is no such split."""
    if split not in SPLITS:
        raise UserError(
            f"the micro-world has no split {split!r}: choose one of {', '.join(SPLITS)}"
        )
