"""Decide to which split an item belongs.

A hash of the item decides. So no item can be in two splits, whatever is generated in which order.
"""

from __future__ import annotations

import hashlib

from datagen.errors import UserError

SPLITS = ("train", "validation", "test")
# The other eight tenths of the items are training items.
_TENTHS = {8: "validation", 9: "test"}


def split_of(signature: str) -> str:
    """Return the split of an item with this signature."""
    return _TENTHS.get(hashlib.sha256(signature.encode()).digest()[0] % 10, "train")


def check_split(split: str) -> None:
    """Raise UserError if there is no such split."""
    if split not in SPLITS:
        raise UserError(
            f"the micro-world has no split {split!r}: choose one of {', '.join(SPLITS)}"
        )
